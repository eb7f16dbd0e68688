"""One harness for the whole session; a catalog of its own for every test."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient

from harness.app import Harness
from harness.cli.connection import Connection
from harness.config import Layout

_numbers = itertools.count()


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """The state folder of the session's harness."""
    return Layout(tmp_path_factory.mktemp("harness") / "state")


@pytest.fixture(scope="session")
def connection(layout: Layout) -> Iterator[Connection]:
    """A running harness, and the environment that unchanged clients read."""
    with Harness(layout, print) as harness, pytest.MonkeyPatch.context() as patch:
        for name, value in harness.connection.environment().items():
            patch.setenv(name, value)
        patch.setenv("MLFLOW_TRACKING_URI", "databricks")
        patch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
        patch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
        yield harness.connection


@pytest.fixture(scope="session")
def spark(connection: Connection) -> Iterator[Any]:
    """A Spark Connect session."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(connection.spark_remote).getOrCreate()
    yield session
    session.stop()


@pytest.fixture
def workspace(connection: Connection) -> WorkspaceClient:
    """The unmodified official client."""
    return WorkspaceClient(host=connection.host, token=connection.token)


@pytest.fixture
def catalog(workspace: WorkspaceClient) -> Iterator[str]:
    """A fresh catalog, removed afterwards."""
    name = f"test_{next(_numbers)}"
    workspace.catalogs.create(name)
    yield name
    workspace.catalogs.delete(name, force=True)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[2]
