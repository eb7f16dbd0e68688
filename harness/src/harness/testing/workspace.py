"""One isolated workspace, as a test sees it."""

from __future__ import annotations

import atexit
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

CLIENTS = {"MLFLOW_TRACKING_URI": "databricks", "MLFLOW_REGISTRY_URI": "databricks-uc", "DATABRICKS_CONFIG_FILE": os.devnull}


@dataclass(frozen=True)
class Workspace:
    """A token, a catalog and Spark sessions that nobody else has; `close` lets go of what this process holds of them."""

    workspace_id: str
    user: str
    """Who the token's bearer is."""
    token: str = field(repr=False)
    catalog: str
    """The catalog in which its Spark sessions begin."""
    home: str
    """The folder of the user in the workspace."""
    host: str
    spark_remote: str

    @functools.cached_property
    def client(self) -> WorkspaceClient:
        """The official client, as the workspace's user."""
        from databricks.sdk import WorkspaceClient

        return WorkspaceClient(host=self.host, token=self.token, auth_type="pat")

    @property
    def spark(self) -> Any:
        """A Spark session of the workspace: the one that code under test has begun in this thread, else one begun at the first use."""
        from pyspark.sql import SparkSession
        from pyspark.sql.connect.session import SparkSession as ConnectSession

        active = ConnectSession.getActiveSession()
        if active is not None and self._owns(active):
            return active
        own = self.__dict__.get("_session")
        if own is None or own.is_stopped:
            own = self.__dict__["_session"] = SparkSession.builder.remote(self.spark_remote).create()
        return own

    def environment(self) -> Mapping[str, str]:
        """Return what makes unchanged code work in this workspace."""
        return {"DATABRICKS_HOST": self.host, "DATABRICKS_TOKEN": self.token, "SPARK_REMOTE": self.spark_remote, **CLIENTS}

    def close(self) -> None:
        """Close the connections of `client` and `spark`; twice without harm."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            client.api_client._api_client._session.close()  # noqa: SLF001 - the pinned client has no way to close its connections
        session = self.__dict__.pop("_session", None)
        if session is not None:
            close_session(session)

    def _owns(self, session: Any) -> bool:
        return bool(session.client._user_id == self.user)  # noqa: SLF001 - pyspark shows it nowhere else


def close_session(session: Any) -> None:
    """Close the client's end of a Spark session; the other end goes with the workspace."""
    session.release_session_on_close = False
    session.stop()
    atexit.unregister(session.client._on_exit)  # noqa: SLF001 - else each closed session stays in memory to the end of the process
