"""What an isolated workspace has, service by service: who made it tells whose it is. Put together in `parts.py`."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.engines.spark import SparkEngine
from harness.engines.tasks import CLIENTS
from harness.engines.udf_pythons import UdfPythons
from harness.errors import ApiError
from harness.identity import Credentials
from harness.inference_tables import InferenceTables
from harness.isolation import IsolatedWorkspace
from harness.monitoring.service import MonitoringService
from harness.unity.service import UnityService
from harness.workspace.service import WorkspaceService


class Made(Protocol):
    """A service that knows who made what."""

    def delete_of(self, user: str, /) -> None:
        """Remove what `user` made, ending what runs."""
        ...


@dataclass(frozen=True, slots=True)
class MadeByUser:
    """Jobs and runs, endpoints, statements, experiments, secret scopes."""

    service: Made

    def make(self, workspace: IsolatedWorkspace) -> None:
        """Nothing: a workspace begins without any."""

    def remove(self, workspace: IsolatedWorkspace) -> None:
        """Remove what the workspace's user made."""
        self.service.delete_of(workspace.user)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of the workspace's user."""

    objects: WorkspaceService

    def make(self, workspace: IsolatedWorkspace) -> None:
        """Make it, empty."""
        self.objects.make_directories(workspace.home)

    def remove(self, workspace: IsolatedWorkspace) -> None:
        """Remove it with what it holds."""
        with contextlib.suppress(ApiError):  # the workspace's own code has removed it
            self.objects.delete(workspace.home, recursive=True)


@dataclass(frozen=True, slots=True)
class CatalogAndSessions:
    """The catalog, and the Spark sessions that begin in it; whatever else of Unity Catalog the user made, and what writes into it."""

    unity: UnityService
    spark: SparkEngine
    payloads: InferenceTables
    monitoring: MonitoringService

    def make(self, workspace: IsolatedWorkspace) -> None:
        """Make the catalog; sessions of the user begin in it from then on."""
        self.unity.namespaces.create_catalog(workspace.catalog, user=workspace.user)

    def remove(self, workspace: IsolatedWorkspace) -> None:
        """Stop what writes into the catalog, close the sessions, and remove it."""
        self.monitoring.delete_in(workspace.catalog)
        self.payloads.drop_catalog(workspace.catalog)
        if self.spark.alive():
            self.spark.forget(workspace.user, workspace.catalog)
        self.unity.delete_of(workspace.user)


@dataclass(frozen=True, slots=True)
class Workers:
    """The tokens of isolated workspaces, with what lets functions in Spark use them: each user's workers have that user's alone."""

    pythons: UdfPythons
    credentials: Credentials
    variables: Callable[[str], Mapping[str, str]]
    user: str
    """Whose the harness is, and so every session that is of no isolated workspace."""

    def start(self) -> None:
        """Let plain clients of Spark send functions that are the harness's user."""
        self.pythons.start()
        self._write(self.user)

    def admit(self, user: str) -> str:
        """Return a token of the user of an isolated workspace."""
        token = self.credentials.admit(user)
        self._write(user)
        return token

    def dismiss(self, user: str) -> None:
        """Know no token of this user any more."""
        self.credentials.dismiss(user)
        self.pythons.remove(user)

    def _write(self, user: str) -> None:
        told = self.variables(user)
        self.pythons.write(user, {**CLIENTS, **{name: told[name] for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN")}})


def spark_remote(remote: str, user: str) -> str:
    """Return what the `SPARK_REMOTE` of a user of an isolated workspace must be."""
    return f"{remote}/;user_id={user}"
