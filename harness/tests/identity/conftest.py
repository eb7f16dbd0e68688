"""A workspace with serving and OAuth behind real HTTP, for unmodified clients; one model that adds."""

import datetime as dt
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient

from harness.clock import Clock, FakeClock, SystemClock
from harness.config import SERVICE_PRINCIPAL_ID, USER_NAME, Layout
from harness.engines.processes import Lifeline
from harness.http import application
from harness.http.direct import protocol
from harness.identity import Credentials, IdentityService, signing_key
from harness.identity import routes as identity_routes
from harness.ids import RandomIds
from harness.inference_tables import InferenceTables, WarehouseFolders
from harness.inference_tables import routes as inference_table_routes
from harness.serving import DirectInvocations, ModelInterpreter, ServingService
from harness.serving import routes as serving_routes
from harness.state import Store
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes as workspace_routes
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_routes import routes as secrets_routes
from harness.workspace.service import WorkspaceService

PERSONAL_TOKEN = "dapi-personal"
ADDS = """
import mlflow
class Adds(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).to_numpy()
mlflow.models.set_model(Adds())
"""


@dataclass(frozen=True)
class Adding:
    """A registry with one model, on the interpreter of the tests."""

    folder: Path

    def model_files(self, _: str, __: str) -> Path:
        """Return the model's folder."""
        return self.folder

    def for_model(self, _: Path) -> ModelInterpreter:
        """Return the interpreter."""
        return ModelInterpreter(sys.executable)


@dataclass(frozen=True)
class Platform:
    """Where it answers, and what is behind it."""

    host: str
    layout: Layout
    credentials: Credentials
    tables: InferenceTables
    personal_token: str = PERSONAL_TOKEN

    def personal(self) -> WorkspaceClient:
        """Return the official client with the user's personal access token."""
        return WorkspaceClient(host=self.host, token=PERSONAL_TOKEN, auth_type="pat")

    def principal(self) -> WorkspaceClient:
        """Return the official client with the service principal's id and secret."""
        return WorkspaceClient(
            host=self.host, client_id=SERVICE_PRINCIPAL_ID, client_secret=self.credentials.client_secret, auth_type="oauth-m2m"
        )

    def grant(self, **form: str) -> httpx.Response:
        """Return the token endpoint's answer to a form of the service principal."""
        return self.post_form(form, auth=(SERVICE_PRINCIPAL_ID, self.credentials.client_secret))

    def post_form(self, form: dict[str, str], auth: tuple[str, str] | None = None) -> httpx.Response:
        """Return the token endpoint's answer to a form."""
        with httpx.Client(trust_env=False) as plain:
            return plain.post(f"{self.host}/oidc/v1/token", data=form, auth=auth)

    def get(self, path: str, token: str) -> httpx.Response:
        """Return the answer to a GET with a bearer token."""
        return httpx.get(f"{self.host}{path}", headers={"Authorization": f"Bearer {token}"}, trust_env=False)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table, everything acknowledged included."""
        from deltalake import DeltaTable

        self.tables.flush()
        rows: list[dict[str, Any]] = DeltaTable(self.layout.warehouse.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
        return rows


@pytest.fixture(scope="session")
def adding(tmp_path_factory: pytest.TempPathFactory) -> Adding:
    """A model that adds `a` and `b`."""
    import mlflow

    folder = tmp_path_factory.mktemp("model")
    (folder / "adds.py").write_text(ADDS)
    mlflow.pyfunc.save_model(str(folder / "adds"), python_model=str(folder / "adds.py"), pip_requirements=["mlflow-skinny"])
    return Adding(folder / "adds")


@pytest.fixture(scope="session")
def platform(adding: Adding, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for all tests."""
    yield from _serve(adding, tmp_path_factory.mktemp("state"), SystemClock())


@pytest.fixture(scope="session")
def slow_platform(adding: Adding, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One whose clock stands still two hours ago: every token it gives has ended when it comes back."""
    past = FakeClock(dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
    yield from _serve(adding, tmp_path_factory.mktemp("slow"), past)


def _serve(adding: Adding, state: Path, clock: Clock) -> Iterator[Platform]:
    layout = Layout(state).make()
    (layout.warehouse / "main" / "logs").mkdir(parents=True)
    store, lifeline, ids = Store(layout.database), Lifeline(), RandomIds()
    server = uvicorn.Server(uvicorn.Config(lambda *_: None, port=0, log_level="warning", ws="none"))
    socket = server.config.bind_socket()
    host = f"http://127.0.0.1:{socket.getsockname()[1]}"
    key = signing_key(layout.signing_key)
    credentials = Credentials(clock=clock, ids=ids, key=key, host=host, personal_token=PERSONAL_TOKEN, user=USER_NAME)
    tables = InferenceTables(clock=clock, ids=ids, store=store, layout=layout, tables=WarehouseFolders(layout))
    secrets = SecretsService(store=store, clock=clock)
    serving = ServingService(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        lifeline=lifeline,
        models=adding,
        environments=adding,
        payloads=tables,
        secrets=secrets,
        host_url=host,
    )
    objects = WorkspaceService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    table = [
        *workspace_routes(objects, PermissionsService(store=store, user=USER_NAME)),
        *secrets_routes(secrets),
        *identity_routes(IdentityService(credentials=credentials, endpoints=serving), host),
        *serving_routes(serving),
        *inference_table_routes(tables),
    ]
    server.config.app = application(table, callers=credentials)
    server.config.http = protocol(DirectInvocations(serving.invocations, credentials))
    tables.start()
    serving.start()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    yield Platform(host, layout, credentials, tables)
    server.should_exit = True
    thread.join(10)
    serving.close()
    tables.close()
    lifeline.close()
    store.close()
    socket.close()
