"""Serving endpoints: real model processes behind the platform's API."""

from harness.serving.data_plane import DirectInvocations
from harness.serving.ports import ModelEnvironments, ModelFiles, ModelInterpreter, PayloadLog
from harness.serving.process_settings import ProcessSettings
from harness.serving.routes import routes
from harness.serving.service import ServingService

__all__ = [
    "DirectInvocations",
    "ModelEnvironments",
    "ModelFiles",
    "ModelInterpreter",
    "PayloadLog",
    "ProcessSettings",
    "ServingService",
    "routes",
]
