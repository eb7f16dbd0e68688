"""A workspace behind real HTTP, for an unmodified client."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.state import Store
from harness.unity.routes import routes as unity_routes
from harness.unity.service import UnityService
from harness.workspace.dbfs import DbfsService
from harness.workspace.dbfs_routes import dbfs_routes
from harness.workspace.files import FilesService
from harness.workspace.files_routes import routes as files_routes
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_routes import routes as secrets_routes
from harness.workspace.service import WorkspaceService

TOKEN = "secret-token"


@dataclass(frozen=True)
class Served:
    """Where the workspace answers, and the services behind it."""

    host: str
    layout: Layout
    files: FilesService
    unity: UnityService
    workspace: WorkspaceService
    secrets: SecretsService


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the workspace and Unity Catalog on a free port."""
    layout = Layout(tmp_path_factory.mktemp("state")).make()
    store, clock, ids = Store(layout.database), SystemClock(), SeededIds()
    unity = UnityService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    files = FilesService(layout=layout, clock=clock, volumes=unity, secret=b"key", max_bytes=1_000_000)
    workspace = WorkspaceService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    secrets = SecretsService(store=store, clock=clock)
    table = [
        *routes(workspace, PermissionsService(store=store, user=USER_NAME, tree=workspace)),
        *secrets_routes(secrets),
        *files_routes(files),
        *dbfs_routes(DbfsService(layout=layout, ids=ids)),
        *unity_routes(unity),
    ]
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(table, callers=OneToken(TOKEN, USER_NAME)), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", layout, files, unity, workspace, secrets)
    server.should_exit = True
    thread.join()
    store.close()


@pytest.fixture(scope="module")
def client(served: Served) -> WorkspaceClient:
    """Return the official client, with nothing but a host and a token."""
    return WorkspaceClient(host=served.host, token=TOKEN, auth_type="pat")


@pytest.fixture
def secrets(served: Served) -> SecretsService:
    """Return the secrets as other services of the harness see them."""
    return served.secrets


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    """Return a plain HTTP client that sends the token."""
    with httpx.Client(base_url=served.host, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as plain:
        yield plain


@pytest.fixture(scope="module")
def volume(client: WorkspaceClient) -> str:
    """Return the path of a volume that exists."""
    from databricks.sdk.service.catalog import VolumeType

    client.volumes.create("main", "default", "landing", VolumeType.MANAGED)
    return "/Volumes/main/default/landing"


@pytest.fixture
def outside(served: Served) -> Path:
    """Return a file beside the state folder that nobody may reach."""
    secret = served.layout.state.parent / "outside.txt"
    secret.write_text("outside")
    return secret


@pytest.fixture
def served_files(served: Served, volume: str) -> Path:
    """Return the folder of the volume on disk."""
    return served.layout.files / volume.lstrip("/")


@pytest.fixture
def served_state(served: Served) -> Path:
    """Return the state folder."""
    return served.layout.state


@pytest.fixture
def reopened_workspace(served: Served) -> Iterator[WorkspaceService]:
    """Return the workspace as a harness started anew on the same state folder sees it."""
    store = Store(served.layout.database)
    yield WorkspaceService(layout=served.layout, clock=SystemClock(), ids=SeededIds(1), store=store, user=USER_NAME)
    store.close()
