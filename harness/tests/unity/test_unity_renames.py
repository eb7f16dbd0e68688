"""Catalogs, schemas and registered models under another name, with all that they hold."""

import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors import NotImplemented as NotThere
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.service.catalog import VolumeType
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.errors import ApiError
from harness.held_names import HeldNames
from harness.ids import SeededIds
from harness.isolation import IsolatedWorkspace
from harness.monitoring.model import DataProfilingConfig, Monitor
from harness.names import FullName
from harness.state import Store
from harness.unity.grants import Change
from harness.unity.model import Change as Asked
from harness.unity.model import Constraint
from harness.unity.registry_model import ModelVersion
from harness.unity.service import UnityService

SCHEMA = Schema([Field("id", PrimitiveType("long"), nullable=False), Field("other", PrimitiveType("long"))])
KINDS = ("catalog", "schema", "table", "table", "volume", "function", "function")


def unity(layout: Layout, **more: object) -> UnityService:
    return UnityService(layout=layout, clock=SystemClock(), ids=SeededIds(), store=Store(layout.database), user=USER_NAME, **more)  # type: ignore[arg-type]  # ports


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return where a Unity Catalog of the test's own keeps everything."""
    return Layout(tmp_path / "state").make()


def fill(service: UnityService, layout: Layout, place: str) -> None:
    """Put one of everything into a schema, each with a grant and what else can be on it."""
    catalog, schema = place.split(".")
    folder = layout.warehouse / catalog / schema
    DeltaTable.create(folder / "t", SCHEMA)
    (folder / ".views").mkdir()
    view = {"schema": '{"type":"struct","fields":[]}', "query": "SELECT 1"}
    (folder / ".views/v.json").write_text(json.dumps(view))
    (folder / ".functions").mkdir()
    (folder / ".functions/f.json").write_text(json.dumps({"usage": json.dumps({"sqlFunction.returnType": "INT"})}))
    service.volumes.create(FullName(catalog, schema, "files"))
    (layout.files / "Volumes" / catalog / schema / "files/a.txt").write_text("1")
    service.registry.create(f"{place}.m", user="ann", description="ours", tags={"k": "v"})
    made = service.registry.create_version(ModelVersion.asked(f"{place}.m", user="ann", tags={"t": "1"}))
    (layout.files / "Models" / catalog / schema / "m/1/MLmodel").write_text("x")
    service.registry.finalize(made.name, "1")
    service.registry.set_alias(f"{place}.m", "champion", "1")
    service.prompts.create(f"{place}.p", description="", tags={})
    service.prompts.create_version(f"{place}.p", template="hi", description="", tags={})
    service.constraints.create(FullName(catalog, schema, "t"), Constraint("pk", ["id"]))
    service.relations.change_owner(FullName(catalog, schema, "v"), "bob")
    service.tags.set("columns", f"{place}.t.id", {"pii": "yes"})
    for kind, name in named(place):
        service.grants.update(kind, name, [Change("cy", add=["ALL_PRIVILEGES"])])
        if kind != "function":
            service.tags.set(f"{kind}s", name, {"team": "a"})


def named(place: str) -> list[tuple[str, str]]:
    names = (place.partition(".")[0], place, *(f"{place}.{name}" for name in ("t", "v", "files", "f", "m")))
    return list(zip(KINDS, names, strict=True))


def told(service: UnityService, place: str) -> list[object]:
    """Return everything that is known of what `fill` made."""
    catalog, schema = place.split(".")
    securables = [
        (service._securable_id(kind, name), service.owner_of(kind, name), service.grants.get(kind, name)) for kind, name in named(place)
    ]
    tags = [service.tags.list(f"{kind}s", name) for kind, name in named(place) if kind != "function"]
    model, version = service.registry.get(f"{place}.m"), service.registry.by_alias(f"{place}.m", "champion")
    prompt = service.prompts.version(f"{place}.p", "1")
    return [
        securables,
        tags,
        service.tags.get("columns", f"{place}.t.id", "pii").value,
        [name.name for name in service.relations.names(catalog, schema)],
        service.relations.get(FullName(catalog, schema, "t")).constraints,
        (service.volume_path(catalog, schema, "files") / "a.txt").read_text(),
        (model.description, model.tags, model.aliases, version.tags, (service.model_files(f"{place}.m", "1") / "MLmodel").read_text()),
        (prompt.template, [each.name for each in service.volumes.in_schema(catalog, schema)]),
    ]


@pytest.mark.parametrize(("new", "place"), [("sold", "sold.s"), ("shop.s2", "shop.s2")], ids=["catalog", "schema"])
def test_all_that_is_inside_moves_and_stays_what_it_is(layout: Layout, new: str, place: str) -> None:
    """Ids, owners, grants, tags, keys, files, versions, aliases; also for a harness that starts again; nothing is left of the old name."""
    created: list[str] = []
    service = unity(layout, on_catalog_created=created.append)
    service.namespaces.create_catalog("shop")
    service.namespaces.create_schema("shop", "s")
    fill(service, layout, "shop.s")
    before = told(service, "shop.s")

    if "." in new:
        made = service.update_schema("shop.s", Asked(new_name="S2", comment="moved"), user="dan").about
    else:
        made = service.update_catalog("shop", Asked(new_name="Sold", comment="moved"), user="dan").about

    assert (made.comment, made.updated_by) == ("moved", "dan")
    assert told(service, place) == before
    assert created == ["shop", *([new] if new == "sold" else [])]
    again = unity(layout)
    assert told(again, place) == before
    service.namespaces.create_catalog("shop") if new == "sold" else None
    again.namespaces.create_schema("shop", "s")
    for kind, name in named("shop.s")[2:]:
        with pytest.raises(Exception, match="does not exist"):
            again.owner_of(kind, name)
    assert not list(layout.warehouse.rglob(".rename*"))


def test_keys_follow_the_tables_that_they_refer_to(layout: Layout) -> None:
    service = unity(layout)
    for name in ("shop", "shop_2"):
        service.namespaces.create_catalog(name)
        for table in ("p", "c"):
            DeltaTable.create(layout.warehouse / name / "default" / table, SCHEMA)
        service.constraints.create(FullName(name, "default", "p"), Constraint("pk", ["id"]))
    for name, parent in (("c", "shop.default.p"), ("p", "shop_2.default.p")):
        service.constraints.create(FullName("shop_2", "default", name), Constraint("fk", ["other"], parent))
    service.constraints.create(FullName("shop", "default", "c"), Constraint("fk", ["other"], "shop.default.p"))

    service.renames.rename("shop", "sold", first=lambda: None)

    parents = {
        table.full_name: key.parent_table for table in service.relations.everywhere() for key in table.constraints if key.parent_table
    }
    assert parents == {
        "sold.default.c": "sold.default.p",
        "shop_2.default.c": "sold.default.p",
        "shop_2.default.p": "shop_2.default.p",
    }


@pytest.mark.parametrize("moved", [0, 1, 2, 3])
@pytest.mark.parametrize("kept", [False, True], ids=["records old", "records new"])
def test_what_a_killed_harness_began_the_next_one_finishes(layout: Layout, moved: int, *, kept: bool) -> None:
    """Wherever it was killed: after any of the folders, before its records were kept or after."""
    service = unity(layout)
    service.namespaces.create_catalog("shop")
    service.namespaces.create_schema("shop", "s")
    fill(service, layout, "shop.s")
    before = told(service, "shop.s")
    if kept:
        service.renames.rename("shop", "sold", first=lambda: None)
        moved = 3
    for root in (layout.warehouse, layout.files / "Volumes", layout.files / "Models")[:moved]:
        if not kept:
            (root / "shop").rename(root / "sold")
    (layout.warehouse / ".rename.json").write_text('{"origin": "shop", "target": "sold"}')

    again = unity(layout)

    assert told(again, "sold.s") == before
    assert [each.name for each in again.namespaces.catalogs()] == ["main", "samples", "sold", "system"]
    assert not list(layout.warehouse.glob(".rename*"))


def test_readers_meet_the_old_or_the_new_name_and_all_that_it_has(layout: Layout) -> None:
    service = unity(layout)
    service.namespaces.create_catalog("shop")
    service.namespaces.create_schema("shop", "s")
    fill(service, layout, "shop.s")
    before, halves, ended = told(service, "shop.s"), list[object](), threading.Event()
    questions: list[Callable[[str], list[str]]] = [
        lambda name: [each.name for each in service.volumes.in_schema(name, "s")],
        lambda name: [each.name for each in service.relations.names(name, "s")],
        lambda name: [each.name for each in service.functions.names(name, "s")],
        lambda name: [each.name for each in service.namespaces.schemas(name)],
        lambda name: [service.model_files(f"{name}.s.m", "1").name],
    ]
    whole = [["files"], ["t", "v"], ["f"], ["default", "s"], ["1"]]

    def read() -> None:
        while not ended.is_set():
            for (ask, expected), name in itertools.product(zip(questions, whole, strict=True), ("shop", "sold")):
                try:
                    answer = ask(name)
                except ApiError as error:
                    halves.extend([] if "does not exist" in str(error) else [error])
                else:
                    halves.extend([] if answer == expected else [(name, answer)])

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        service.renames.rename("shop", "sold", first=lambda: None)
        service.renames.rename("sold", "shop", first=lambda: None)
    ended.set()
    for reader in readers:
        reader.join()

    assert halves == []
    assert told(service, "shop.s") == before


@pytest.mark.parametrize(
    ("origin", "new_name", "error", "message"),
    [
        pytest.param("main", "other", NotThere, "renaming the catalog 'main', which every harness has", id="a harness's own"),
        pytest.param("main.default", "other", NotThere, "renaming the schema 'main.default', which every harness has", id="own schema"),
        pytest.param("rnm", "main", BadRequest, "Catalog 'main' already exists", id="catalog is there"),
        pytest.param("rnm.a", "B", BadRequest, "Schema 'rnm.b' already exists", id="schema is there"),
        pytest.param("rnm.a", "information_schema", BadRequest, "'rnm.information_schema' already exists", id="information schema"),
        pytest.param("rnm.information_schema", "x", DatabricksError, "owned by the system", id="of the information schema"),
        pytest.param("rnm", "a.b", BadRequest, "catalog name 'a.b' is not valid", id="two parts"),
        pytest.param("rnm.a", "../x", BadRequest, "schema name '../x' is not valid", id="a path"),
        pytest.param("rnm.none", "x", NotFound, "Schema 'rnm.none' does not exist", id="not there"),
    ],
)
def test_refused_renamings_change_nothing(
    client: WorkspaceClient, origin: str, new_name: str, error: type[DatabricksError], message: str
) -> None:
    if "rnm" not in {each.name for each in client.catalogs.list()}:
        client.catalogs.create("rnm")
        for name in "ab":
            client.schemas.create(name, "rnm")

    with pytest.raises(error, match=message):
        (client.schemas if "." in origin else client.catalogs).update(origin, new_name=new_name, comment="changed")

    assert [each.name for each in client.schemas.list("rnm")] == ["a", "b", "default", "information_schema"]
    assert client.schemas.get("rnm.a").comment is None


def test_the_official_client_renames(client: WorkspaceClient) -> None:
    client.catalogs.create("by_client")
    client.volumes.create("by_client", "default", "files", VolumeType.MANAGED)
    client.registered_models.create(catalog_name="by_client", schema_name="default", name="m")
    client.grants.update("catalog", "by_client", changes=[])

    renamed = client.catalogs.update("by_client", new_name="By_Client_2")
    schema = client.schemas.update("by_client_2.default", new_name="other", owner="ann")
    model = client.registered_models.update("by_client_2.other.m", new_name="n", owner="bob", comment="now n")

    assert (renamed.name, renamed.full_name) == ("by_client_2", "by_client_2")
    assert (schema.full_name, schema.owner) == ("by_client_2.other", "ann")
    assert (model.full_name, model.owner, model.comment) == ("by_client_2.other.n", "bob", "now n")
    assert client.volumes.read("by_client_2.other.files").storage_location
    with pytest.raises(NotFound):
        client.registered_models.get("by_client_2.other.m")
    client.catalogs.delete("by_client_2", force=True)


def test_a_model_is_renamed_in_its_schema(client: WorkspaceClient, http: httpx.Client, service: UnityService) -> None:
    """In mlflow's older dialect, with its versions and aliases; not to another schema."""
    if "rnm_m" not in {each.name for each in client.catalogs.list()}:
        client.catalogs.create("rnm_m")
    registry, files = service.registry, service.model_path
    registry.create("rnm_m.default.m", user="ann")
    registry.create("rnm_m.default.taken", user="ann")
    registry.create_version(ModelVersion.asked("rnm_m.default.m", user="ann", tags={}))
    registry.set_alias("rnm_m.default.m", "champion", "1")
    number = registry.get("rnm_m.default.m").registered_model_id

    def rename(new_name: str) -> httpx.Response:
        body = {"name": "rnm_m.default.m", "new_name": new_name}
        return http.patch("/api/2.0/mlflow/unity-catalog/registered-models/update", json=body)

    taken, elsewhere, two = rename("rnm_m.default.taken"), rename("rnm_m.other.n"), rename("n")
    assert (taken.status_code, taken.json()["error_code"]) == (409, "RESOURCE_ALREADY_EXISTS")
    assert (elsewhere.status_code, elsewhere.json()["message"][-22:]) == (400, "it stays in its schema")
    assert "specify all three levels" in two.json()["message"]

    answer = rename("rnm_m.default.n")

    assert answer.json()["registered_model"]["name"] == "rnm_m.default.n"
    native = "/api/2.1/unity-catalog/models"
    assert http.patch(f"{native}/rnm_m.default.n", json={"new_name": "rnm_m.default.o"}).json()["full_name"] == "rnm_m.default.o"
    assert http.patch(f"{native}/rnm_m.default.o", json={"new_name": "rnm_m.other.n"}).status_code == 400
    assert http.patch(f"{native}/rnm_m.default.o", json={"new_name": "n"}).json()["full_name"] == "rnm_m.default.n"
    assert registry.get("rnm_m.default.n").registered_model_id == number
    assert registry.by_alias("rnm_m.default.n", "champion").storage_location == "/Models/rnm_m/default/n/1"
    assert files("rnm_m", "default", "n", "1").is_dir()
    assert [each.name for each in registry.models("rnm_m")] == ["rnm_m.default.n", "rnm_m.default.taken"]


def test_what_others_go_by_is_not_renamed(layout: Layout) -> None:
    """Endpoints, their logs, monitors and isolated workspaces are told; a model is held by what serves it alone."""
    config = DataProfilingConfig(output_schema_id="1", baseline_table_name="C.`base`.line")
    monitor = Monitor(
        table_id="1", table="a.t.x", output_schema="b.out", config=config, version=1, status="DATA_PROFILING_STATUS_ACTIVE", created_ms=0
    )
    names = HeldNames(lambda: [("fares", "a.ml.m")], lambda: ["d.log.m_payload"], lambda: [monitor], lambda: [IsolatedWorkspace("7", 0)])
    service = unity(layout, held_by=names.of)
    service.namespaces.create_catalog("a")

    assert names.of("a.ml") == ["serving endpoint 'fares' serves a.ml.m"]
    assert names.of("a") == ["serving endpoint 'fares' serves a.ml.m", "a monitor of 'a.t.x' names a.t.x"]
    assert names.of("b.out") == ["a monitor of 'a.t.x' names b.out"]
    assert names.of("c") == ["a monitor of 'a.t.x' names C.`base`.line"]
    assert names.of("d.log") == ["a serving endpoint logs its calls into d.log.m_payload"]
    assert names.of(IsolatedWorkspace("7", 0).catalog) == [f"the isolated workspace '7' works in {IsolatedWorkspace('7', 0).catalog}"]
    assert (names.of("a.ml.m"), names.of("a.t.x"), names.of("a.m")) == (["serving endpoint 'fares' serves a.ml.m"], [], [])
    with pytest.raises(Exception, match=r"while serving endpoint 'fares' serves a.ml.m, a monitor .* is not emulated"):
        service.renames.rename("a", "z", first=lambda: None)
    assert (layout.warehouse / "a").is_dir()


def test_what_is_in_the_way_leaves_everything_where_it_was(layout: Layout) -> None:
    service = unity(layout)
    service.namespaces.create_catalog("shop")
    service.namespaces.create_schema("shop", "s")
    fill(service, layout, "shop.s")
    before = told(service, "shop.s")
    (layout.files / "Models/sold").mkdir()

    with pytest.raises(Exception, match="There are files of 'sold' already"):
        service.renames.rename("shop", "sold", first=lambda: None)

    assert told(service, "shop.s") == before
    assert told(unity(layout), "shop.s") == before
