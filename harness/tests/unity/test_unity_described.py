"""What is said of catalogs, schemas, tables and volumes, page by page, as the official client sees it."""

from collections.abc import Callable

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors import NotImplemented as NotThere
from databricks.sdk.service.catalog import (
    CatalogIsolationMode,
    ForeignKeyConstraint,
    PermissionsChange,
    PrimaryKeyConstraint,
    Privilege,
    TableConstraint,
    TableType,
    VolumeType,
    WorkspaceBinding,
)
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.clock import SystemClock
from harness.config import USER_NAME, WORKSPACE_ID, Layout
from harness.ids import SeededIds
from harness.state import Store
from harness.unity.service import UnityService

MakeTable = Callable[[str], None]
_PREFIX = "/api/2.1/unity-catalog"


@pytest.fixture
def place(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    """Return a schema of the test's own."""
    name = request.node.name.split("[")[0].removeprefix("test_")
    client.schemas.create(name, "main")
    return f"main.{name}"


def test_catalog_says_who_made_it_and_what_it_is_for(client: WorkspaceClient) -> None:
    made = client.catalogs.create("described", comment="first", properties={"team": "a"})
    client.catalogs.update("described", owner="ann@example.com", isolation_mode=CatalogIsolationMode.ISOLATED, properties={"team": "b"})

    found = client.catalogs.get("described")

    assert (found.owner, found.comment, found.properties) == ("ann@example.com", "first", {"team": "b"})
    assert (found.created_by, found.updated_by, found.created_at) == (USER_NAME, USER_NAME, made.created_at)
    assert found.isolation_mode is CatalogIsolationMode.ISOLATED
    assert client.schemas.get("described.default").comment == "Default schema (auto-created)"


def test_schema_changes_only_in_what_is_asked(client: WorkspaceClient, place: str) -> None:
    client.schemas.update(place, comment="second", properties={"a": "1"})
    client.schemas.update(place, owner="ann@example.com")

    found = client.schemas.get(place)

    assert (found.comment, found.properties, found.owner) == ("second", {"a": "1"}, "ann@example.com")


def test_a_catalog_keeps_its_options(client: WorkspaceClient) -> None:
    made = client.catalogs.create("optional", options={"k": "v"})

    assert (made.options, client.catalogs.get("optional").options) == ({"k": "v"}, {"k": "v"})
    client.catalogs.delete("optional")


def test_owner_is_somebody(client: WorkspaceClient) -> None:
    with pytest.raises(BadRequest, match="owner must not be empty"):
        client.schemas.update("main.default", owner="")


@pytest.mark.parametrize(
    ("kind", "key", "place"),
    [
        pytest.param("schemas", "schemas", {"catalog_name": "paged"}, id="schemas"),
        pytest.param("volumes", "volumes", {"catalog_name": "paged", "schema_name": "default"}, id="volumes"),
        pytest.param("tables", "tables", {"catalog_name": "paged", "schema_name": "default"}, id="tables"),
        pytest.param("table-summaries", "tables", {"catalog_name": "paged"}, id="summaries"),
        pytest.param("catalogs", "catalogs", {}, id="catalogs"),
    ],
)
def test_pages_of_two_are_the_whole_list(
    client: WorkspaceClient, http: httpx.Client, make_table: MakeTable, kind: str, key: str, place: dict[str, str]
) -> None:
    if not any(each.name == "paged" for each in client.catalogs.list()):
        client.catalogs.create("paged")
        for name in "abc":
            client.schemas.create(name, "paged")
            client.volumes.create("paged", "default", name, VolumeType.MANAGED)
            make_table(f"paged.default.{name}")
    whole = http.get(f"{_PREFIX}/{kind}", params=place).json()

    pages: list[list[object]] = []
    token = ""
    while not pages or token:
        page = http.get(f"{_PREFIX}/{kind}", params=place | {"max_results": "2"} | ({"page_token": token} if token else {})).json()
        pages.append(page[key])
        token = page.get("next_page_token", "")

    assert "next_page_token" not in whole
    assert [each for page in pages for each in page] == whole[key]
    assert len(whole[key]) >= 3
    assert {len(page) for page in pages[:-1]} == {2}


def test_what_is_made_between_pages_hides_nothing(client: WorkspaceClient, http: httpx.Client) -> None:
    client.catalogs.create("moving")
    for name in "bdf":
        client.schemas.create(name, "moving")
    first = http.get(f"{_PREFIX}/schemas", params={"catalog_name": "moving", "max_results": "2"}).json()

    client.schemas.create("a", "moving")
    client.schemas.delete("moving.b")
    rest = http.get(f"{_PREFIX}/schemas", params={"catalog_name": "moving", "page_token": first["next_page_token"]}).json()

    assert [each["name"] for each in first["schemas"]] == ["b", "d"]
    assert [each["name"] for each in rest["schemas"]] == ["default", "f", "information_schema"]


def test_table_tells_what_its_log_says(client: WorkspaceClient, make_table: MakeTable, place: str) -> None:
    make_table(f"{place}.t")

    found = client.tables.get(f"{place}.t")

    assert found.table_type is TableType.MANAGED
    assert (found.owner, found.created_by) == (USER_NAME, USER_NAME)
    assert {key: value for key, value in (found.properties or {}).items() if key != "delta.lastCommitTimestamp"} == {
        "delta.lastUpdateVersion": "0",
        "delta.minReaderVersion": "1",
        "delta.minWriterVersion": "2",
    }
    assert (found.columns or [])[0].type_json == '{"name": "trip_id", "type": "string", "nullable": true, "metadata": {}}'


def test_decimal_tells_precision_and_scale(client: WorkspaceClient, place: str, layout: Layout) -> None:
    fields = [Field("fare", PrimitiveType("decimal(10,2)"), nullable=False, metadata={"comment": "in USD"})]
    DeltaTable.create(layout.warehouse.joinpath(*place.split("."), "t"), Schema(fields))

    column = (client.tables.get(f"{place}.t").columns or [])[0]

    assert (column.type_text, column.type_precision, column.type_scale) == ("decimal(10,2)", 10, 2)
    assert (column.nullable, column.comment, column.mask) == (False, "in USD", None)


def test_list_leaves_out_what_is_not_wanted(http: httpx.Client, make_table: MakeTable, place: str) -> None:
    make_table(f"{place}.t")
    schema = place.partition(".")[2]
    switches = {"omit_columns": "true", "omit_properties": "true", "omit_username": "true"}

    one = http.get(f"{_PREFIX}/tables", params={"catalog_name": "main", "schema_name": schema} | switches).json()["tables"][0]

    assert one["full_name"] == f"{place}.t"
    assert {"columns", "properties", "owner", "created_by", "updated_by"} & set(one) == set()


def test_summaries_match_patterns(client: WorkspaceClient, make_table: MakeTable, place: str) -> None:
    for name in ("trips", "trip_zones", "fares"):
        make_table(f"{place}.{name}")
    schema = place.partition(".")[2]

    found = client.tables.list_summaries("main", schema_name_pattern=schema, table_name_pattern="TRIP%")

    assert [(each.full_name, each.table_type) for each in found] == [
        (f"{place}.trip_zones", TableType.MANAGED),
        (f"{place}.trips", TableType.MANAGED),
    ]


def test_owner_of_a_table_lasts_until_it_is_made_again(client: WorkspaceClient, make_table: MakeTable, place: str) -> None:
    make_table(f"{place}.t")
    client.tables.update(f"{place}.t", owner="ann@example.com")
    assert client.tables.get(f"{place}.t").owner == "ann@example.com"

    client.tables.delete(f"{place}.t")
    make_table(f"{place}.t")

    assert client.tables.get(f"{place}.t").owner == USER_NAME


def _keyed(layout: Layout, name: str) -> None:
    fields = [Field("id", PrimitiveType("long"), nullable=False), Field("other", PrimitiveType("long"))]
    DeltaTable.create(layout.warehouse.joinpath(*name.split(".")), Schema(fields))


def test_keys_are_declared_told_and_taken_away(client: WorkspaceClient, layout: Layout, place: str) -> None:
    parent, child = f"{place}.parent", f"{place}.child"
    _keyed(layout, parent)
    _keyed(layout, child)
    client.table_constraints.create(parent, TableConstraint(primary_key_constraint=PrimaryKeyConstraint("pk", ["id"])))
    foreign = ForeignKeyConstraint("fk", ["other"], parent, ["id"])
    client.table_constraints.create(child, TableConstraint(foreign_key_constraint=foreign))

    told = (client.tables.get(child).table_constraints or [])[0].foreign_key_constraint
    assert told == ForeignKeyConstraint("fk", ["other"], parent, ["id"], rely=False)
    with pytest.raises(BadRequest, match=f"is referred to by {child}; delete it with cascade"):
        client.table_constraints.delete(parent, "pk", cascade=False)

    client.table_constraints.delete(parent, "pk", cascade=True)
    assert (client.tables.get(parent).table_constraints, client.tables.get(child).table_constraints) == ([], [])
    with pytest.raises(NotFound, match="Constraint 'pk' does not exist"):
        client.table_constraints.delete(parent, "pk", cascade=True)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param(["nope"], "Column 'nope' does not exist", id="unknown column"),
        pytest.param(["other"], "Column 'other' of table .* is nullable", id="nullable column"),
        pytest.param([], "a key needs columns", id="no column"),
    ],
)
def test_key_that_cannot_be_is_refused(client: WorkspaceClient, layout: Layout, columns: list[str], message: str) -> None:
    if not (layout.warehouse / "main/default/keyless").exists():
        _keyed(layout, "main.default.keyless")

    key = PrimaryKeyConstraint("pk", columns)
    with pytest.raises(BadRequest, match=message):
        client.table_constraints.create("main.default.keyless", TableConstraint(primary_key_constraint=key))
    assert client.tables.get("main.default.keyless").table_constraints == []


def test_what_is_granted_above_is_inherited(client: WorkspaceClient, make_table: MakeTable, place: str) -> None:
    make_table(f"{place}.t")
    for kind, name, privilege in (
        ("catalog", "main", Privilege.USE_CATALOG),
        ("schema", place, Privilege.SELECT),
        ("table", f"{place}.t", Privilege.MODIFY),
    ):
        client.grants.update(kind, name, changes=[PermissionsChange(principal="ann", add=[privilege])])

    held = client.grants.get_effective("table", f"{place}.t", principal="ann").privilege_assignments or []

    assert [
        (each.privilege, each.inherited_from_type and each.inherited_from_type.value, each.inherited_from_name)
        for each in held[0].privileges or []
    ] == [
        (Privilege.MODIFY, None, None),
        (Privilege.SELECT, "SCHEMA", place),
        (Privilege.USE_CATALOG, "CATALOG", "main"),
    ]
    assert [each.principal for each in client.grants.list("table", f"{place}.t")] == ["ann"]
    assert client.grants.get_effective("table", f"{place}.t", principal="nobody").privilege_assignments == []
    with pytest.raises(BadRequest, match="max_results must be 0 or at least 150, not 7"):
        client.grants.get("table", f"{place}.t", max_results=7)
    client.grants.update("catalog", "main", changes=[PermissionsChange(principal="ann", remove=[Privilege.USE_CATALOG])])


def test_there_is_one_metastore(client: WorkspaceClient) -> None:
    current = client.metastores.current()

    assert (current.workspace_id, current.default_catalog_name) == (int(WORKSPACE_ID), "main")
    assert client.metastores.summary().metastore_id == current.metastore_id
    assert [each.metastore_id for each in client.metastores.list()] == [current.metastore_id]
    assert client.metastores.get(current.metastore_id).owner == USER_NAME
    with pytest.raises(NotFound, match="Metastore 'other' does not exist"):
        client.metastores.get("other")
    with pytest.raises(NotThere):
        client.metastores.create("another")


def test_catalog_is_bound_to_workspaces(client: WorkspaceClient) -> None:
    client.catalogs.create("bound")
    client.workspace_bindings.update_bindings("catalog", "bound", add=[WorkspaceBinding(42)])
    client.workspace_bindings.update("bound", assign_workspaces=[7], unassign_workspaces=[42])

    assert [each.workspace_id for each in client.workspace_bindings.get_bindings("catalog", "bound")] == [7]
    assert client.workspace_bindings.get("bound").workspaces == [7]
    with pytest.raises(NotThere, match="bindings of securables of type external_location"):
        list(client.workspace_bindings.get_bindings("external_location", "x"))


@pytest.mark.parametrize("kind", ["external_locations", "storage_credentials", "connections"])
def test_what_a_harness_has_none_of_is_an_empty_list(client: WorkspaceClient, kind: str) -> None:
    assert list(getattr(client, kind).list()) == []


def test_all_of_it_survives_a_restart(client: WorkspaceClient, layout: Layout, place: str) -> None:
    made = client.schemas.update(place, comment="kept", properties={"a": "1"})
    client.volumes.create("main", place.partition(".")[2], "files", VolumeType.MANAGED, comment="kept")
    store = Store(layout.database)

    again = UnityService(layout=layout, clock=SystemClock(), ids=SeededIds(1), store=store, user=USER_NAME)
    found = again.namespaces.schema(*place.split("."))
    volumes = again.volumes.in_schema(*place.split("."))
    store.close()

    assert (found.schema_id, found.comment, found.properties) == (made.schema_id, "kept", {"a": "1"})
    assert [each.comment for each in volumes] == ["kept"]
