"""What Spark keeps in a schema's folder – views, external tables, keys, comments – as the official client sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors import NotImplemented as NotThere
from databricks.sdk.service.catalog import ColumnTypeName, DataSourceFormat, FunctionInfoSqlDataAccess, TableType
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.config import USER_NAME, Layout
from harness.errors import NotEmulated
from harness.names import FullName
from harness.unity.service import UnityService

SCHEMA = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": False, "metadata": {"comment": "number"}}]}
Put = Callable[[str, str, dict[str, object]], None]


@pytest.fixture
def schema(client: WorkspaceClient, request: pytest.FixtureRequest) -> str:
    """Return a schema of the test's own."""
    name = str(request.node.name).split("[")[0].removeprefix("test_")
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
    put(".views", "v", _view("SELECT 1 AS id"))

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
    put(".views", "v", _view("SELECT 1 AS id"))
    first = client.tables.get(f"main.{schema}.v").table_id
    client.tables.update(f"main.{schema}.v", owner="ann@example.com")
    assert client.tables.get(f"main.{schema}.v").owner == "ann@example.com"
    client.tables.delete(f"main.{schema}.v")
    put(".views", "v", _view("SELECT 1 AS id"))

    again = client.tables.get(f"main.{schema}.v")

    assert again.table_id != first
    assert again.owner == USER_NAME


def test_external_table_tells_where_its_files_lie(client: WorkspaceClient, schema: str, put: Put) -> None:
    parquet: dict[str, object] = {
        "provider": "parquet",
        "location": "/Volumes/a/b/c/t",
        "schema": json.dumps(SCHEMA),
        "partitions": ["id"],
        "properties": {},
    }
    put(".external", "t", parquet)

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
    put(".external", "t", {"provider": "delta", "location": location.replace("{tmp}", str(tmp_path))})

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
    with pytest.raises(NotThere, match=f"use ALTER TABLE main.{schema}.t DROP CONSTRAINT pk"):
        client.table_constraints.delete(f"main.{schema}.t", "pk", cascade=True)
    assert client.tables.get(f"main.{schema}.t").table_constraints == found.table_constraints


def test_a_table_that_cannot_be_described_goes_with_its_schema(client: WorkspaceClient, layout: Layout, schema: str) -> None:
    """Spark writes strings of Python functions with a collation, which delta-rs does not read."""
    folder = layout.warehouse / "main" / schema / "t"
    DeltaTable.create(folder, Schema([Field("name", PrimitiveType("string"))]))
    first = folder / "_delta_log" / f"{0:020}.json"
    first.write_text(first.read_text().replace('\\"string\\"', '\\"string collate UTF8_BINARY\\"'))

    with pytest.raises(NotThere, match=f"describing the table 'main.{schema}.t' over REST"):
        client.tables.get(f"main.{schema}.t")
    with pytest.raises(BadRequest, match="is not empty"):
        client.schemas.delete(f"main.{schema}")
    client.schemas.delete(f"main.{schema}", force=True)

    assert not folder.exists()


def test_comment_and_properties_of_a_schema_are_those_of_spark(client: WorkspaceClient, layout: Layout, schema: str) -> None:
    """Which writes and keeps the same file."""
    sparks = layout.warehouse / "main" / schema / ".about.json"
    about = {"id": "5a1f", "created_at": 1, "updated_at": 2, "comment": "by SQL", "properties": {"team": "a"}}
    sparks.write_text(json.dumps(about))
    found = client.schemas.get(f"main.{schema}")
    assert (found.schema_id, found.comment, found.properties, found.owner) == ("5a1f", "by SQL", {"team": "a"}, USER_NAME)

    client.schemas.update(f"main.{schema}", comment="by REST", properties={"team": "b"})

    kept = json.loads(sparks.read_text())
    assert (kept["id"], kept["created_at"], kept["comment"], kept["properties"]) == ("5a1f", 1, "by REST", {"team": "b"})


def _function(**kept: str) -> dict[str, object]:
    return {"class": "sqlFunction.", "usage": json.dumps({f"sqlFunction.{key}": value for key, value in kept.items()})}


def test_function_is_got_listed_owned_and_removed(client: WorkspaceClient, schema: str, put: Put) -> None:
    declared = "x DECIMAL(10, 2) COMMENT 'a, b', y INT DEFAULT 10"
    put(
        ".functions",
        "inc",
        _function(inputParam=declared, returnType="INT", expression="x + y", comment="adds", deterministic="true", containsSQL="true"),
    )
    full_name = f"main.{schema}.inc"
    found = client.functions.get(full_name)

    assert (found.data_type, found.full_data_type, found.routine_definition) == (ColumnTypeName.INT, "INT", "x + y")
    assert (found.comment, found.owner, found.is_deterministic) == ("adds", USER_NAME, True)
    parameters = (found.input_params and found.input_params.parameters) or []
    assert [(each.name, each.type_text, each.type_name, each.parameter_default, each.comment) for each in parameters] == [
        ("x", "DECIMAL(10, 2)", ColumnTypeName.DECIMAL, None, "a, b"),
        ("y", "INT", ColumnTypeName.INT, "10", None),
    ]
    assert [each.full_name for each in client.functions.list("main", schema)] == [full_name]
    assert client.functions.update(full_name, owner="ann@example.com").owner == "ann@example.com"
    with pytest.raises(BadRequest, match=r"1 function\(s\)"):
        client.schemas.delete(f"main.{schema}")
    client.functions.delete(full_name)
    with pytest.raises(NotFound, match=rf"Function 'main\.{schema}\.inc' does not exist"):
        client.functions.get(full_name)


def test_table_function_tells_its_columns(client: WorkspaceClient, schema: str, put: Put) -> None:
    put(".functions", "rows", _function(inputParam="", returnType="i INT,j ARRAY<INT>", query="SELECT 1, array(2)", isTableFunc="true"))

    found = client.functions.get(f"main.{schema}.rows")

    assert (found.data_type, found.sql_data_access) == (ColumnTypeName.TABLE_TYPE, FunctionInfoSqlDataAccess.READS_SQL_DATA)
    returned = (found.return_params and found.return_params.parameters) or []
    assert [(each.name, each.type_text) for each in returned] == [("i", "INT"), ("j", "ARRAY<INT>")]


def test_functions_are_made_by_sql(client: WorkspaceClient) -> None:
    with pytest.raises(NotThere, match=r"POST /api/2\.1/unity-catalog/functions"):
        client.api_client.do("POST", "/api/2.1/unity-catalog/functions", body={"function_info": {}})


def test_what_no_monitor_can_read_is_refused_by_name(client: WorkspaceClient, service: UnityService, schema: str, put: Put) -> None:
    """The platform monitors views and external tables too: by name and by id it is said that they are not monitored here."""
    put(".views", "a", _view("SELECT 1 AS id"))
    put(".external", "b", {"provider": "parquet", "location": "/t", "schema": json.dumps(SCHEMA), "partitions": [], "properties": {}})

    for name, kind in (("a", "VIEW"), ("b", "EXTERNAL")):
        why = rf"a monitor of main\.{schema}\.{name}, which is of type {kind}: only managed Delta tables"
        table_id = client.tables.get(f"main.{schema}.{name}").table_id
        assert table_id is not None
        with pytest.raises(NotEmulated, match=why):
            service.table_id(FullName("main", schema, name))
        with pytest.raises(NotEmulated, match=why):
            service.table_by_id(table_id)
