"""Grants that are enforced: a second principal is refused in the platform's words until it is granted what it needs."""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied
from databricks.sdk.service.catalog import EntityTagAssignment, PermissionsChange, Privilege, VolumeType
from deltalake import write_deltalake

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.errors import UserError
from harness.http import Identity, application, credential
from harness.ids import SeededIds
from harness.state import Store
from harness.unity.access import Access, is_enforced
from harness.unity.access_routes import enforced, enforced_files
from harness.unity.access_rules import Asked, needs
from harness.unity.routes import routes
from harness.unity.service import UnityService
from harness.workspace.files import FilesService
from harness.workspace.files_routes import routes as files_routes
from harness.workspace.routes import identity_routes

OTHER = "7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403"


@dataclass(frozen=True)
class Tokens:
    """One token for each of two principals."""

    def authenticate(self, authorization: str) -> Identity | None:
        """Return whose it is."""
        users = {"administrator": USER_NAME, "other": OTHER}
        user = users.get(credential(authorization) or "")
        return Identity(user) if user else None


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve Unity Catalog and files with a table, a volume and a model in `main.sales`, grants enforced."""
    layout = Layout(tmp_path_factory.mktemp("guarded")).make()
    store = Store(layout.database)
    service = UnityService(layout=layout, clock=SystemClock(), ids=SeededIds(), store=store, user=USER_NAME)
    files = FilesService(layout=layout, clock=SystemClock(), volumes=service, secret=b"secret")
    guard = Access(grants=service.grants, owner_of=service.owner_of, administrator=USER_NAME)
    answers = [*identity_routes(), *enforced(routes(service), guard), *enforced_files(files_routes(files), guard)]
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(answers, callers=Tokens()), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    service.namespaces.create_schema("main", "sales")
    write_deltalake(layout.warehouse / "main/sales/orders", pa.table({"id": [1]}))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    owner = WorkspaceClient(host=address, token="administrator", auth_type="pat")
    owner.volumes.create("main", "sales", "raw", VolumeType.MANAGED)
    owner.files.upload("/Volumes/main/sales/raw/a.txt", io.BytesIO(b"a"))
    owner.registered_models.create(catalog_name="main", schema_name="sales", name="model")
    yield address
    server.should_exit = True
    thread.join()
    store.close()


@pytest.fixture
def other(host: str) -> WorkspaceClient:
    """Return the client of a principal that owns nothing."""
    return WorkspaceClient(host=host, token="other", auth_type="pat")


@pytest.fixture
def grant(host: str) -> Iterator[Callable[[str, str, str], None]]:
    """Return what grants a privilege to the other principal until the test ends."""
    owner = WorkspaceClient(host=host, token="administrator", auth_type="pat")
    given: list[tuple[str, str, str]] = []

    def change(kind: str, name: str, *, add: str = "", remove: str = "") -> None:
        one = PermissionsChange(principal=OTHER, add=[Privilege(add)] if add else None, remove=[Privilege(remove)] if remove else None)
        owner.grants.update(kind, name, changes=[one])

    def granting(kind: str, name: str, privilege: str) -> None:
        given.append((kind, name, privilege))
        change(kind, name, add=privilege)

    yield granting
    for kind, name, privilege in given:
        change(kind, name, remove=privilege)


USE = [("catalog", "main", "USE_CATALOG"), ("schema", "main.sales", "USE_SCHEMA")]
METASTORE = "11111111-2222-4333-8444-555555555555"

CASES = [
    pytest.param(lambda w: w.schemas.get("main.sales"), USE, "USE SCHEMA on Schema 'main.sales'", id="see a schema"),
    pytest.param(
        lambda w: w.tables.get("main.sales.orders"),
        [*USE, ("table", "main.sales.orders", "SELECT")],
        "SELECT on Table 'main.sales.orders'",
        id="see a table",
    ),
    pytest.param(
        lambda w: w.tables.get("main.sales.orders"),
        [USE[0], ("schema", "main.sales", "ALL_PRIVILEGES")],
        "USE SCHEMA on Schema 'main.sales'",
        id="see a table by a grant on its schema",
    ),
    pytest.param(
        lambda w: w.files.download("/Volumes/main/sales/raw/a.txt").contents.read(),
        [*USE, ("volume", "main.sales.raw", "READ_VOLUME")],
        "READ VOLUME on Volume 'main.sales.raw'",
        id="read a file",
    ),
    pytest.param(
        lambda w: w.files.upload("/Volumes/main/sales/raw/b.txt", io.BytesIO(b"b"), overwrite=True),
        [*USE, ("volume", "main.sales.raw", "READ_VOLUME"), ("volume", "main.sales.raw", "WRITE_VOLUME")],
        "WRITE VOLUME on Volume 'main.sales.raw'",
        id="write a file",
    ),
    pytest.param(
        lambda w: w.registered_models.get("main.sales.model"),
        [*USE, ("function", "main.sales.model", "EXECUTE")],
        "EXECUTE on Routine or Model 'main.sales.model'",
        id="see a model",
    ),
    pytest.param(
        lambda w: w.tables.update("main.sales.orders", owner=USER_NAME),
        [*USE, ("table", "main.sales.orders", "MANAGE")],
        "MANAGE on Table 'main.sales.orders'",
        id="give a table away",
    ),
    pytest.param(
        lambda w: w.entity_tag_assignments.create(EntityTagAssignment("main.sales.orders.id", "pii", "columns")),
        [*USE, ("table", "main.sales.orders", "APPLY_TAG")],
        "APPLY TAG on Table 'main.sales.orders'",
        id="tag a column",
    ),
    pytest.param(
        lambda w: list(w.entity_tag_assignments.list("volumes", "main.sales.raw")),
        [*USE, ("volume", "main.sales.raw", "READ_VOLUME")],
        "READ VOLUME on Volume 'main.sales.raw'",
        id="see tags",
    ),
    pytest.param(
        lambda w: w.grants.get("table", "main.sales.orders"),
        [("schema", "main.sales", "MANAGE")],
        "MANAGE on Table 'main.sales.orders'",
        id="see grants",
    ),
    pytest.param(
        lambda w: (w.schemas.create("own", "main"), w.schemas.delete("main.own")),
        [USE[0], ("catalog", "main", "CREATE_SCHEMA")],
        "CREATE SCHEMA on Catalog 'main'",
        id="make a schema, which is one's own then",
    ),
    pytest.param(
        lambda w: (w.volumes.create("main", "sales", "own", VolumeType.MANAGED), w.volumes.delete("main.sales.own")),
        [*USE, ("schema", "main.sales", "CREATE_VOLUME")],
        "CREATE VOLUME on Schema 'main.sales'",
        id="make a volume",
    ),
    pytest.param(
        lambda w: (w.catalogs.create("own"), w.catalogs.delete("own", force=True)),
        [("metastore", METASTORE, "CREATE_CATALOG")],
        f"CREATE CATALOG on Metastore '{METASTORE}'",
        id="make a catalog",
    ),
]


@pytest.mark.parametrize(("act", "grants", "refused"), CASES)
def test_one_may_what_is_granted_and_no_more(
    other: WorkspaceClient,
    grant: Callable[[str, str, str], None],
    act: Callable[[Any], object],
    grants: list[tuple[str, str, str]],
    refused: str,
) -> None:
    """With all grants but the last the platform's 403 names what is missing; with all of them it is done."""
    for one in grants[:-1]:
        grant(*one)
    with pytest.raises(PermissionDenied, match=f"^User does not have {refused}"):
        act(other)

    grant(*grants[-1])
    act(other)


def test_lists_show_what_one_may_see(other: WorkspaceClient, grant: Callable[[str, str, str], None]) -> None:
    assert list(other.catalogs.list()) == []
    with pytest.raises(PermissionDenied, match="User does not have USE CATALOG on Catalog 'main'"):
        list(other.tables.list("main", "sales"))

    for one in USE:
        grant(*one)
    assert [each.name for each in other.catalogs.list()] == ["main"]
    assert list(other.tables.list("main", "sales")) == []
    assert list(other.registered_models.list()) == []
    grant("table", "main.sales.orders", "SELECT")
    assert [each.name for each in other.tables.list("main", "sales")] == ["orders"]
    assert [each.full_name for each in other.tables.list_summaries("main")] == ["main.sales.orders"]
    assert other.tables.exists("main.sales.orders").table_exists
    assert not other.tables.exists("main.sales.nothing").table_exists


def test_group_of_everybody_counts(host: str, other: WorkspaceClient) -> None:
    owner = WorkspaceClient(host=host, token="administrator", auth_type="pat")
    owner.grants.update("catalog", "main", changes=[PermissionsChange(principal="account users", add=[Privilege.USE_CATALOG])])

    assert [each.name for each in other.catalogs.list()] == ["main"]
    owner.grants.update("catalog", "main", changes=[PermissionsChange(principal="account users", remove=[Privilege.USE_CATALOG])])


@pytest.mark.parametrize(("setting", "meant"), [(None, False), ("", False), ("recorded", False), ("enforced", True)])
def test_grants_are_enforced_on_request(setting: str | None, meant: bool) -> None:  # noqa: FBT001 - a case
    assert is_enforced(setting) is meant


def test_other_settings_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"HARNESS_GRANTS=on: expected recorded \(the default\) or enforced"):
        is_enforced("on")


def test_making_a_function_needs_the_privilege_on_its_schema() -> None:
    body = b'{"function_info": {"catalog_name": "Main", "schema_name": "sales"}}'

    needed = needs(Asked("POST", "/api/2.1/unity-catalog/functions", {}, {}, body))

    assert [(need.privilege, need.name) for need in needed] == [("USE_CATALOG", "main"), ("CREATE_FUNCTION", "main.sales")]
