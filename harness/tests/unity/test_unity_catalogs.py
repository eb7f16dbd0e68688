"""Catalogs, schemas, tables and volumes, as the official client sees them."""

import shutil
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.catalog import ColumnTypeName, VolumeType
from mlflow.data.delta_dataset_source import DeltaDatasetSource

from harness.config import Layout
from harness.names import FullName
from harness.unity.service import UnityService

MakeTable = Callable[[str], None]


def test_two_catalogs_with_a_default_schema_exist(client: WorkspaceClient) -> None:
    assert {"main", "samples"} <= {catalog.name for catalog in client.catalogs.list()}
    assert client.schemas.get("samples.default").full_name == "samples.default"


def test_spark_is_told_of_a_new_catalog(client: WorkspaceClient, created: list[str]) -> None:
    client.catalogs.create("Fresh", comment="new")

    assert created == ["fresh"]
    assert client.catalogs.get("fresh").comment == "new"
    assert client.schemas.get("fresh.default").catalog_name == "fresh"


def test_schema_is_made_described_and_removed(client: WorkspaceClient) -> None:
    made = client.schemas.create("ml", "main", comment="first", properties={"team": "a"})
    client.schemas.update("main.ml", comment="second")

    found = client.schemas.get("main.ml")
    assert (found.schema_id, found.comment, found.properties) == (made.schema_id, "second", {"team": "a"})

    client.schemas.delete("main.ml")
    with pytest.raises(NotFound, match=r"Schema 'main\.ml' does not exist"):
        client.schemas.get("main.ml")


def test_schema_of_a_missing_catalog_is_not_found(client: WorkspaceClient) -> None:
    with pytest.raises(NotFound, match="Catalog 'nowhere' does not exist"):
        client.schemas.create("ml", "nowhere")


def test_schema_is_not_made_twice(client: WorkspaceClient) -> None:
    client.schemas.create("once", "main")

    with pytest.raises(BadRequest, match=r"Schema 'main\.once' already exists"):
        client.schemas.create("once", "main")


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "", "a.b"])
def test_name_that_could_leave_the_warehouse_is_refused(client: WorkspaceClient, name: str) -> None:
    with pytest.raises(BadRequest, match="is not valid"):
        client.schemas.create(name, "main")


def test_table_written_by_delta_appears_by_itself(client: WorkspaceClient, make_table: MakeTable) -> None:
    make_table("main.default.trips")

    found = client.tables.get("main.default.trips")

    columns = [(column.name, column.type_name, column.type_text, column.nullable, column.position) for column in found.columns or []]
    assert columns == [
        ("trip_id", ColumnTypeName.STRING, "string", True, 0),
        ("fare", ColumnTypeName.DOUBLE, "double", True, 1),
        ("seats", ColumnTypeName.ARRAY, "array<bigint>", True, 2),
        ("at", ColumnTypeName.TIMESTAMP, "timestamp", True, 3),
        ("point", ColumnTypeName.STRUCT, "struct<x:int>", True, 4),
    ]
    assert (found.columns or [])[0].partition_index == 0
    assert uuid.UUID(found.table_id)
    assert [table.full_name for table in client.tables.list("main", "default")] == ["main.default.trips"]


def test_data_set_of_mlflow_knows_its_tables_id(
    client: WorkspaceClient, catalogs: Any, make_table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table("main.default.logged")
    monkeypatch.setenv("DATABRICKS_HOST", catalogs.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", "secret-token")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "databricks")

    told = DeltaDatasetSource(delta_table_name="main.default.logged", delta_table_version=3).to_dict()

    assert told["delta_table_id"] == client.tables.get("main.default.logged").table_id


def test_table_made_again_has_another_id(client: WorkspaceClient, service: UnityService, layout: Layout, make_table: MakeTable) -> None:
    make_table("main.default.again")
    first = client.tables.get("main.default.again").table_id or ""
    shutil.rmtree(layout.warehouse / "main/default/again")
    make_table("main.default.again")

    second = client.tables.get("main.default.again").table_id or ""

    assert first != second
    assert service.table_by_id(first) is None
    assert service.table_by_id(second) == FullName("main", "default", "again")


def test_table_nobody_has_asked_for_is_found_by_its_id(service: UnityService, layout: Layout, make_table: MakeTable) -> None:
    make_table("main.default.unseen")
    from deltalake import DeltaTable

    table_id = str(DeltaTable(layout.warehouse / "main/default/unseen").metadata().id)

    assert service.table_by_id(table_id) == FullName("main", "default", "unseen")


def test_deleted_table_is_gone_and_spark_is_told(client: WorkspaceClient, dropped: list[FullName], make_table: MakeTable) -> None:
    make_table("main.default.gone")
    assert client.tables.exists("main.default.gone").table_exists

    client.tables.delete("main.default.gone")

    assert not client.tables.exists("main.default.gone").table_exists
    assert FullName("main", "default", "gone") in dropped
    with pytest.raises(NotFound, match=r"Table 'main\.default\.gone' does not exist"):
        client.tables.get("main.default.gone")


def test_schema_that_holds_a_table_goes_only_by_force(client: WorkspaceClient, make_table: MakeTable) -> None:
    client.schemas.create("held", "main")
    make_table("main.held.trips")
    client.volumes.create("main", "held", "files", VolumeType.MANAGED)

    with pytest.raises(BadRequest, match=r"Schema 'main\.held' is not empty"):
        client.schemas.delete("main.held")

    client.schemas.delete("main.held", force=True)
    client.schemas.create("held", "main")
    assert list(client.tables.list("main", "held")) == []
    assert list(client.volumes.list("main", "held")) == []


def test_volume_is_made_renamed_and_removed(client: WorkspaceClient) -> None:
    client.volumes.create("main", "default", "raw", VolumeType.MANAGED, comment="landing")

    client.volumes.update("main.default.raw", new_name="cooked")

    assert client.volumes.read("main.default.cooked").comment == "landing"
    client.volumes.delete("main.default.cooked")
    with pytest.raises(NotFound, match=r"Volume 'main\.default\.cooked' does not exist"):
        client.volumes.read("main.default.cooked")


def test_schema_is_found_by_its_id(service: UnityService) -> None:
    schema_id = service.schema_id("main", "default")

    assert service.schema_by_id(schema_id) == ("main", "default")
    assert service.schema_by_id("nothing") is None
