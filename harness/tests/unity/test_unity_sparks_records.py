"""What Spark keeps in a schema's folder – views, external tables, keys, comments – as the official client sees it."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.errors import NotImplemented as NotThere
from databricks.sdk.service.catalog import ColumnTypeName, DataSourceFormat, FunctionInfoRoutineBody, FunctionInfoSqlDataAccess, TableType
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.config import USER_NAME, Layout
from harness.errors import NotEmulated
from harness.names import FullName
from harness.unity.function_sql import AskedFunction, create_statement
from harness.unity.grants import Change
from harness.unity.information import RELATIONS
from harness.unity.information_rows import InformationSchema
from harness.unity.model import Constraint
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
    client.table_constraints.delete(f"main.{schema}.t", "PK", cascade=True)
    left = client.tables.get(f"main.{schema}.t").table_constraints or []
    assert [each.foreign_key_constraint and each.foreign_key_constraint.name for each in left] == ["fk"]
    table = DeltaTable(layout.warehouse / "main" / schema / "t")
    assert table.metadata().configuration == {"harness.constraint.fk": keys["harness.constraint.fk"]}
    assert table.schema() == fields


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


def test_function_in_python_tells_its_body(client: WorkspaceClient, schema: str, put: Put) -> None:
    called = _function(inputParam="x INT", returnType="INT", expression="__harness_python_function('7b7d', `x`)", deterministic="true")
    put(".functions", "py", {**called, "python": " return x "})

    found = client.functions.get(f"main.{schema}.py")

    assert (found.routine_body, found.external_language) == (FunctionInfoRoutineBody.EXTERNAL, "PYTHON")
    assert (found.routine_definition, found.sql_data_access) == (" return x ", FunctionInfoSqlDataAccess.NO_SQL)


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


def _asked(**more: object) -> dict[str, object]:
    wanted = {"name": "f", "catalog_name": "main", "schema_name": "default", "full_data_type": "INT", "data_type": "INT"}
    return {**wanted, "routine_body": "SQL", "routine_definition": "x + 1", "sql_data_access": "CONTAINS_SQL", **more}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({}, "`main`.`default`.`f`() RETURNS INT DETERMINISTIC CONTAINS SQL RETURN x + 1", id="plain"),
        pytest.param(
            {
                "input_params": {
                    "parameters": [
                        {"name": "x", "type_text": "int", "comment": "it's in"},
                        {"name": "odd `y`", "type_text": "array<int>", "parameter_default": "array(1)"},
                    ]
                },
                "comment": "a \\ 'quoted'",
                "is_deterministic": False,
                "sql_data_access": "READS_SQL_DATA",
            },
            "`main`.`default`.`f`(`x` int COMMENT 'it\\'s in', `odd ``y``` array<int> DEFAULT array(1)) RETURNS INT"
            " COMMENT 'a \\\\ \\'quoted\\'' NOT DETERMINISTIC READS SQL DATA RETURN x + 1",
            id="with all there is",
        ),
        pytest.param(
            {"data_type": "TABLE_TYPE", "return_params": {"parameters": [{"name": "a", "type_text": "INT"}]}, "sql_data_access": "NO_SQL"},
            "`main`.`default`.`f`() RETURNS TABLE (`a` INT) DETERMINISTIC RETURN x + 1",
            id="table",
        ),
    ],
)
def test_a_function_that_rest_asks_for_is_made_by_sql(more: dict[str, object], expected: str) -> None:
    asked = msgspec.convert(_asked(**more), AskedFunction)

    assert create_statement(FullName("main", "default", "f"), asked) == f"CREATE FUNCTION {expected}"


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        pytest.param({"routine_body": "EXTERNAL"}, 501, "creating a function with routine_body=EXTERNAL", id="Python"),
        pytest.param({"is_null_call": False}, 501, "is_null_call=false", id="not called with NULL"),
        pytest.param({"properties": '{"a": "b"}'}, 501, "with properties", id="properties"),
        pytest.param({"routine_definition": " "}, 400, "routine_definition must not be empty", id="no body"),
        pytest.param({"schema_name": "none"}, 404, "Schema 'main.none' does not exist", id="no schema"),
        pytest.param({"name": "a.b"}, 400, "function name 'a.b' is not valid", id="name"),
        pytest.param({"name": "there"}, 400, "Function 'main.default.there' already exists", id="there"),
    ],
)
def test_function_that_cannot_be_is_refused(http: httpx.Client, layout: Layout, more: dict[str, object], status: int, message: str) -> None:
    there = layout.warehouse / "main/default/.functions/there.json"
    there.parent.mkdir(exist_ok=True)
    there.write_text('{"usage": "{}"}')

    answer = http.post("/api/2.1/unity-catalog/functions", json={"function_info": _asked(**more)})

    assert answer.status_code == status
    assert message in answer.json()["message"]
    there.unlink()


def _rows(service: UnityService, relation: str, schema: str, *columns: str) -> list[tuple[object, ...]]:
    """Return columns of the rows of an information schema that are about a schema."""
    named = [dict(zip(RELATIONS[relation].columns, row, strict=True)) for row in InformationSchema(service).rows("main", relation)]
    place = {"specific_schema", "constraint_schema"}
    return [tuple(row[column] for column in columns) for row in named if schema in {row.get(column) for column in place}]


def test_parameters_and_columns_of_functions_are_in_the_information_schema(service: UnityService, schema: str, put: Put) -> None:
    put(".functions", "f", _function(inputParam="x DECIMAL(10, 2),y BIGINT DEFAULT 1 COMMENT 'one'", returnType="INT", expression="y"))
    put(".functions", "rows", _function(returnType="i INT COMMENT 'it',j ARRAY<INT>", query="SELECT 1, array(2)", isTableFunc="true"))
    service.grants.update("function", f"main.{schema}.f", [Change("ann", add=["EXECUTE"])])

    about = ("ordinal_position", "data_type", "full_data_type", "numeric_precision", "numeric_scale", "comment")
    assert _rows(service, "parameters", schema, "specific_name", "parameter_name", "parameter_mode", "parameter_default", *about) == [
        ("f", "x", "IN", None, 1, "DECIMAL", "DECIMAL(10, 2)", 10, 2, None),
        ("f", "y", "IN", "1", 2, "BIGINT", "BIGINT", 64, 0, "one"),
    ]
    assert _rows(service, "routine_columns", schema, "specific_name", "column_name", *about) == [
        ("rows", "i", 1, "INT", "INT", 32, 0, "it"),
        ("rows", "j", 2, "ARRAY", "ARRAY<INT>", None, None, None),
    ]
    assert _rows(service, "routine_privileges", schema, "grantee", "routine_schema", "routine_name", "privilege_type") == [
        ("ann", schema, "f", "EXECUTE")
    ]


def test_what_keys_use_is_in_the_information_schema(service: UnityService, layout: Layout, schema: str) -> None:
    fields = Schema([Field("id", PrimitiveType("long"), nullable=False), Field("other", PrimitiveType("long"))])
    for name in ("child", "parent"):
        DeltaTable.create(layout.warehouse / "main" / schema / name, fields)
    service.constraints.create(FullName("main", schema, "parent"), Constraint("pk", ["id"]))
    service.constraints.create(FullName("main", schema, "child"), Constraint("fk", ["other"], f"main.{schema}.parent"))

    used = _rows(
        service, "constraint_column_usage", schema, "constraint_name", "table_catalog", "table_schema", "table_name", "column_name"
    )
    assert used == [("fk", "main", schema, "parent", "id"), ("pk", "main", schema, "parent", "id")]
    assert _rows(service, "constraint_table_usage", schema, "constraint_name", "table_name") == [("fk", "parent"), ("pk", "parent")]
