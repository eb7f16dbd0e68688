"""Serving endpoints: real model processes behind the platform's API."""

from harness.serving.ports import ModelEnvironments, ModelFiles, ModelInterpreter, PayloadLog
from harness.serving.routes import routes
from harness.serving.service import ServingService

__all__ = ["ModelEnvironments", "ModelFiles", "ModelInterpreter", "PayloadLog", "ServingService", "routes"]
