"""Jobs 2.2: definitions, runs of their task graphs, and what tasks tell each other."""

from harness.jobs.model import EnvironmentSpec
from harness.jobs.ports import (
    DependencyFiles,
    NotebookProgram,
    Outcome,
    ScriptProgram,
    TaskProcess,
    TaskRunner,
    WheelProgram,
)
from harness.jobs.routes import routes
from harness.jobs.service import JobService
from harness.jobs.surroundings import RunEvent
from harness.jobs.triggers import WatchedData

__all__ = [
    "DependencyFiles",
    "EnvironmentSpec",
    "JobService",
    "NotebookProgram",
    "Outcome",
    "RunEvent",
    "ScriptProgram",
    "TaskProcess",
    "TaskRunner",
    "WatchedData",
    "WheelProgram",
    "routes",
]
