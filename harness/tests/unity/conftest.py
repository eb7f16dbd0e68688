"""Unity Catalog behind real HTTP, for an unmodified client."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pyarrow as pa
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from deltalake import write_deltalake

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.names import FullName
from harness.state import Store
from harness.unity.routes import routes
from harness.unity.service import UnityService
from harness.workspace.routes import identity_routes

TOKEN = "secret-token"


@dataclass(frozen=True)
class Catalogs:
    """Where Unity Catalog answers, the service behind it, and what it told Spark."""

    host: str
    layout: Layout
    service: UnityService
    created: list[str] = field(default_factory=list)
    dropped: list[FullName] = field(default_factory=list)


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogs]:
    """Serve Unity Catalog on a free port."""
    layout = Layout(tmp_path_factory.mktemp("state")).make()
    store, created, dropped = Store(layout.database), list[str](), list[FullName]()
    service = UnityService(
        layout=layout,
        clock=SystemClock(),
        ids=SeededIds(),
        store=store,
        user=USER_NAME,
        on_catalog_created=created.append,
        on_table_dropped=dropped.append,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    app = application([*identity_routes(), *routes(service)], callers=OneToken(TOKEN, USER_NAME))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield Catalogs(f"http://127.0.0.1:{listening.getsockname()[1]}", layout, service, created, dropped)
    server.should_exit = True
    thread.join()
    store.close()


@pytest.fixture
def service(catalogs: Catalogs) -> UnityService:
    """Return the service behind the HTTP."""
    return catalogs.service


@pytest.fixture
def layout(catalogs: Catalogs) -> Layout:
    """Return where everything lies."""
    return catalogs.layout


@pytest.fixture
def created(catalogs: Catalogs) -> list[str]:
    """Return the catalogs that Spark was told of."""
    return catalogs.created


@pytest.fixture
def dropped(catalogs: Catalogs) -> list[FullName]:
    """Return the tables that Spark was told to forget."""
    return catalogs.dropped


@pytest.fixture(scope="module")
def client(catalogs: Catalogs) -> WorkspaceClient:
    """Return the official client, with nothing but a host and a token."""
    return WorkspaceClient(host=catalogs.host, token=TOKEN, auth_type="pat")


@pytest.fixture
def http(catalogs: Catalogs) -> Iterator[httpx.Client]:
    """Return a plain HTTP client that sends the token."""
    with httpx.Client(base_url=catalogs.host, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as plain:
        yield plain


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Callable[..., httpx.Response], Layout]]:
    """Return a caller of a Unity Catalog of its own, without a network between, and where that keeps everything."""
    layout = Layout(tmp_path_factory.mktemp("inside") / "state").make()
    store = Store(layout.database)
    service = UnityService(layout=layout, clock=SystemClock(), ids=SeededIds(), store=store, user=USER_NAME)
    transport = httpx.ASGITransport(application(routes(service), callers=OneToken(TOKEN, USER_NAME)), raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    client = httpx.AsyncClient(transport=transport, base_url="http://inside/api/2.1/unity-catalog", headers=headers)
    with asyncio.Runner() as runner:
        yield lambda *asked, **more: runner.run(client.request(*asked, **more)), layout
        runner.run(client.aclose())
    store.close()


@pytest.fixture
def make_table(catalogs: Catalogs) -> Callable[[str], None]:
    """Return a writer of tables that knows nothing of the service: delta-rs, straight into the warehouse."""

    def make(name: str) -> None:
        columns = {
            "trip_id": pa.array(["a"], pa.string()),
            "fare": pa.array([1.5], pa.float64()),
            "seats": pa.array([[1]], pa.list_(pa.int64())),
            "at": pa.array([0], pa.timestamp("us", tz="UTC")),
            "point": pa.array([{"x": 1}], pa.struct([pa.field("x", pa.int32())])),
        }
        folder = catalogs.layout.warehouse.joinpath(*name.split("."))
        write_deltalake(folder, pa.table(columns), partition_by=["trip_id"])

    return make
