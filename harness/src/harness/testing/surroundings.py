"""This process, so that unchanged code in it works in one workspace and leaves nothing behind for the next."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from harness.testing.workspace import Workspace, close_session

# What would have clients go elsewhere, and what MLflow and Spark write there themselves.
_OTHERS = ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID", "SPARK_CONNECT_MODE_ENABLED")


@contextlib.contextmanager
def surroundings(workspace: Workspace) -> Iterator[None]:
    """Have environment variables, Spark's active session and MLflow's experiment be `workspace`'s inside, and as before afterwards."""
    with _variables(workspace.environment()), _spark(), _mlflow():
        yield


@contextlib.contextmanager
def _variables(ours: Mapping[str, str]) -> Iterator[None]:
    def concerned(name: str) -> bool:
        return name.startswith("DATABRICKS_") or name in _OTHERS or name in ours

    before = {name: value for name, value in os.environ.items() if concerned(name)}
    for name in before:
        del os.environ[name]
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in [name for name in os.environ if concerned(name)]:
            del os.environ[name]
        os.environ.update(before)


@contextlib.contextmanager
def _spark() -> Iterator[None]:
    """Hide the sessions there are, so that `getOrCreate` begins one; close what was begun."""
    before = _sessions()
    _set_sessions(None, None)
    try:
        yield
    finally:
        for session in _sessions():
            if session is not None and not session.is_stopped:
                close_session(session)
        _set_sessions(*before)


def _sessions() -> tuple[Any, Any]:
    module = sys.modules.get("pyspark.sql.connect.session")
    if module is None:
        return None, None
    return module.SparkSession._default_session, getattr(module.SparkSession._active_session, "session", None)  # noqa: SLF001 - no other way


def _set_sessions(default: Any, active: Any) -> None:
    module = sys.modules.get("pyspark.sql.connect.session")
    if module is not None:
        module.SparkSession._default_session = default  # noqa: SLF001 - the same
        module.SparkSession._active_session.session = active  # noqa: SLF001 - the same


@contextlib.contextmanager
def _mlflow() -> Iterator[None]:
    """Begin in no experiment; end runs that are left open."""
    before = _set_experiment(None)
    _forget_registries()
    try:
        yield
    finally:
        mlflow = sys.modules.get("mlflow")
        while mlflow is not None and mlflow.active_run() is not None:
            mlflow.end_run(status="KILLED")
        _set_experiment(before)
        _forget_registries()


def _forget_registries() -> None:
    """Have MLflow make its registry clients anew: each keeps the Spark session, whose catalog completes names, of when it was made."""
    module = sys.modules.get("mlflow.tracking._model_registry.registry")
    if module is not None:
        module.ModelRegistryStoreRegistry._get_store_with_resolved_uri.cache_clear()  # noqa: SLF001 - the pinned client has no other way


def _set_experiment(experiment: Any) -> Any:
    """Have MLflow's active experiment be this one, and return which it was."""
    fluent: Any = sys.modules.get("mlflow.tracking.fluent")
    if fluent is None:
        return None
    before = fluent._active_experiment_id  # noqa: SLF001 - `set_experiment` would ask a server
    fluent._active_experiment_id = experiment  # noqa: SLF001 - the same
    return before
