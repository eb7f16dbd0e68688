"""What Spark keeps in a schema's folder – views, external tables, keys, comments – as the official client sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.catalog import DataSourceFormat, TableType
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.config import USER_NAME, Layout

SCHEMA = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": False, "metadata": {"comment": "number"}}]}
Put = Callable[[str, str, dict[str, object]], None]


@pytest.fixture
def schema(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    """Return a schema of the test's own."""
    name = request.node.name.split("[")[0].removeprefix("test_")
    client.schemas.create(name, "main")
    return name


@pytest.fixture
def put(layout: Layout, schema: str) -> Put:
    """Return what writes a record as Spark does."""

    def write(kind: str, name: str, record: dict[str, object]) -> None:
        folder: Path = layout.warehouse / "main" / schema / kind
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(record))

    return write


def _view(query: str) -> dict[str, object]:
    properties = {"comment": "ours", "owner": "root", "team": "a"}
    return {"schema": json.dumps(SCHEMA), "query": query, "properties": properties, "current_catalog": "main", "query_columns": ["id"]}


def test_view_is_got_listed_and_removed(client: WorkspaceClient, schema: str, put: Put) -> None:
    put("_views", "v", _view("SELECT 1 AS id"))

    found = client.tables.get(f"main.{schema}.v")

    assert (found.table_type, found.view_definition, found.comment) == (TableType.VIEW, "SELECT 1 AS id", "ours")
    assert (found.owner, found.properties, found.storage_location) == (USER_NAME, {"team": "a"}, None)
    assert [(column.name, column.type_text, column.nullable, column.comment) for column in found.columns or []] == [
        ("id", "bigint", False, "number")
    ]
    assert [each.full_name for each in client.tables.list("main", schema)] == [f"main.{schema}.v"]
    assert [each.table_type for each in client.tables.list_summaries("main", schema_name_pattern=schema)] == [TableType.VIEW]
    assert client.tables.exists(f"main.{schema}.v").table_exists
    with pytest.raises(BadRequest, match="is not empty"):
        client.schemas.delete(f"main.{schema}")
    client.tables.delete(f"main.{schema}.v")
    with pytest.raises(NotFound, match=rf"Table 'main\.{schema}\.v' does not exist"):
        client.tables.get(f"main.{schema}.v")


def test_view_made_again_is_another_one(client: WorkspaceClient, schema: str, put: Put) -> None:
    put("_views", "v", _view("SELECT 1 AS id"))
    first = client.tables.get(f"main.{schema}.v").table_id
    client.tables.update(f"main.{schema}.v", owner="ann@example.com")
    assert client.tables.get(f"main.{schema}.v").owner == "ann@example.com"
    client.tables.delete(f"main.{schema}.v")
    put("_views", "v", _view("SELECT 1 AS id"))

    again = client.tables.get(f"main.{schema}.v")

    assert again.table_id != first
    assert again.owner == USER_NAME


def test_external_table_tells_where_its_files_lie(client: WorkspaceClient, schema: str, put: Put) -> None:
    parquet = {"provider": "parquet", "location": "/Volumes/a/b/c/t", "schema": json.dumps(SCHEMA), "partitions": ["id"], "properties": {}}
    put("_external", "t", parquet)

    found = client.tables.get(f"main.{schema}.t")

    assert (found.table_type, found.data_source_format) == (TableType.EXTERNAL, DataSourceFormat.PARQUET)
    assert found.storage_location == "/Volumes/a/b/c/t"
    assert [column.partition_index for column in found.columns or []] == [0]


@pytest.mark.parametrize("location", ["/Volumes/main/default/x/t", "dbfs:/Volumes/main/default/x/t", "dbfs:/t", "file:{tmp}/t"])
def test_external_delta_table_is_read_from_its_log(
    client: WorkspaceClient, layout: Layout, schema: str, put: Put, location: str, tmp_path: Path
) -> None:
    lies = {
        "/Volumes/main/default/x/t": layout.files / "Volumes/main/default/x/t",
        "dbfs:/Volumes/main/default/x/t": layout.files / "Volumes/main/default/x/t",
        "dbfs:/t": layout.files / "dbfs/t",
        "file:{tmp}/t": tmp_path / "t",
    }[location]
    DeltaTable.create(lies, Schema([Field("id", PrimitiveType("long"))]), mode="overwrite")
    put("_external", "t", {"provider": "delta", "location": location.replace("{tmp}", str(tmp_path))})

    found = client.tables.get(f"main.{schema}.t")

    assert (found.table_type, found.data_source_format) == (TableType.EXTERNAL, DataSourceFormat.DELTA)
    assert [column.name for column in found.columns or []] == ["id"]
    client.tables.delete(f"main.{schema}.t")
    assert (lies / "_delta_log").is_dir()
    client.schemas.delete(f"main.{schema}")


def test_keys_that_sql_declares_are_told(client: WorkspaceClient, layout: Layout, schema: str) -> None:
    keys = {
        "harness.constraint.pk": json.dumps({"type": "PRIMARY_KEY", "columns": ["id"], "rely": True}),
        "harness.constraint.fk": json.dumps(
            {"type": "FOREIGN_KEY", "columns": ["id"], "rely": False, "parent": "main.a.b", "parent_columns": ["x"]}
        ),
    }
    fields = Schema([Field("id", PrimitiveType("long"), nullable=False)])
    DeltaTable.create(layout.warehouse / "main" / schema / "t", fields, configuration=keys, raise_if_key_not_exists=False)

    found = client.tables.get(f"main.{schema}.t")

    told = [each.as_dict() for each in found.table_constraints or []]
    assert sorted(told, key=str) == [
        {
            "foreign_key_constraint": {
                "name": "fk",
                "child_columns": ["id"],
                "parent_table": "main.a.b",
                "parent_columns": ["x"],
                "rely": False,
            }
        },
        {"primary_key_constraint": {"name": "pk", "child_columns": ["id"], "rely": True}},
    ]
    assert not any(key.startswith("harness.") for key in found.properties or {})


def test_comment_and_properties_of_a_schema_are_those_of_spark(client: WorkspaceClient, layout: Layout, schema: str) -> None:
    sparks = layout.warehouse / "main" / schema / "_schema.json"
    sparks.write_text(json.dumps({"comment": "by SQL", "owner": "root", "team": "a"}))
    found = client.schemas.get(f"main.{schema}")
    assert (found.comment, found.properties, found.owner) == ("by SQL", {"team": "a"}, USER_NAME)

    client.schemas.update(f"main.{schema}", comment="by REST", properties={"team": "b"})

    assert json.loads(sparks.read_text()) == {"comment": "by REST", "owner": "root", "team": "b"}
