"""One real MLflow server behind the workspace, and an unmodified mlflow client in front of it."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.engines.mlflow import MlflowServer
from harness.engines.mlflow_credentials import ArtifactCredentials
from harness.engines.mlflow_logged_models import LoggedModels
from harness.engines.mlflow_proxy import MlflowProxy
from harness.engines.mlflow_traces import trace_routes
from harness.engines.mlflow_ui import MlflowUi
from harness.engines.processes import Lifeline
from harness.http import OneToken, application
from harness.ids import RandomIds
from harness.state import Store
from harness.unity.routes import routes as unity_routes
from harness.unity.service import UnityService
from harness.unity.ui_routes import ui_routes
from harness.workspace.files import FilesService
from harness.workspace.files_routes import routes as files_routes
from harness.workspace.routes import identity_routes

TOKEN = "secret-token"


@dataclass(frozen=True)
class Platform:
    """Where the workspace answers, its MLflow server, and the catalog behind it."""

    host: str
    mlflow_url: str
    layout: Layout
    unity: UnityService


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Serve the workspace with everything a model's life needs: tracking, registry, files."""
    layout = Layout(tmp_path_factory.mktemp("state")).make()
    store, clock, lifeline = Store(layout.database), SystemClock(), Lifeline()
    mlflow_server = MlflowServer(layout=layout, lifeline=lifeline)
    mlflow_server.start(print)
    logged = LoggedModels(url=lambda: mlflow_server.url)
    unity = UnityService(layout=layout, clock=clock, ids=RandomIds(), store=store, user=USER_NAME, logged_models=logged)
    files = FilesService(layout=layout, clock=clock, volumes=unity, secret=b"key")
    proxy, ui = MlflowProxy(url=lambda: mlflow_server.url), MlflowUi(url=lambda: mlflow_server.url)
    credentials = ArtifactCredentials(ask=proxy.ask, sign=files.signed_url)
    services = [*identity_routes(), *files_routes(files), *unity_routes(unity), *ui_routes(unity.registry, unity.rename_model)]
    table = [*services, *trace_routes(), *credentials.routes(), *ui.routes(), *proxy.routes()]
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(table, callers=OneToken(TOKEN, USER_NAME)), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield Platform(f"http://127.0.0.1:{listening.getsockname()[1]}", mlflow_server.url, layout, unity)
    server.should_exit = True
    thread.join()
    logged.close()
    mlflow_server.close()
    lifeline.close()
    store.close()


@pytest.fixture(scope="module")
def databricks_environment(platform: Platform) -> Iterator[None]:
    """Point mlflow at the workspace as a user would: host, token, `databricks`, `databricks-uc`. Nothing else.

    For one file's tests: whichever come next in this process may have a harness of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABRICKS_HOST", platform.host)
        patch.setenv("DATABRICKS_TOKEN", TOKEN)
        patch.setenv("MLFLOW_TRACKING_URI", "databricks")
        patch.setenv("MLFLOW_REGISTRY_URI", "databricks-uc")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield


@pytest.fixture
def layout(platform: Platform) -> Layout:
    """Return where everything lies."""
    return platform.layout


@pytest.fixture
def unity(platform: Platform) -> UnityService:
    """Return the catalog behind the HTTP."""
    return platform.unity
