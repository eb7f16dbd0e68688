"""`information_schema` in SQL: the same truth as REST, found when a query is planned."""

from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import PermissionsChange, Privilege, VolumeType
from databricks.sdk.service.sql import StatementState

from harness.config import USER_NAME

pytestmark = pytest.mark.platform


@pytest.fixture
def rows(spark: Any, catalog: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Return what runs SQL; `{c}` is a catalog of the test's own."""
    return lambda sql: [tuple(row) for row in spark.sql(sql.replace("{c}", catalog)).collect()]


@pytest.fixture
def sales(rows: Any) -> None:
    """Make a schema with a table and a view."""
    rows("CREATE SCHEMA {c}.sales COMMENT 'what we sell'")
    rows("CREATE TABLE {c}.sales.orders (id BIGINT NOT NULL COMMENT 'number', price DECIMAL(10,2), day DATE) PARTITIONED BY (day)")
    rows("CREATE VIEW {c}.sales.dear AS SELECT id FROM {c}.sales.orders WHERE price > 100")


@pytest.mark.usefixtures("sales")
def test_relations_say_what_there_is(rows: Any, catalog: str) -> None:
    """With joins, filters and aggregates; names of columns in any case."""
    assert rows("SELECT schema_name, comment FROM {c}.information_schema.schemata ORDER BY 1") == [
        ("default", "Default schema (auto-created)"),
        ("information_schema", "Information schema (auto-created)"),
        ("sales", "what we sell"),
    ]
    tables = "SELECT TABLE_NAME, table_type, data_source_format, is_insertable_into FROM {c}.information_schema.tables"
    assert rows(f"{tables} WHERE table_schema = 'sales' ORDER BY 1") == [
        ("dear", "VIEW", "UNKNOWN_DATA_SOURCE_FORMAT", "NO"),
        ("orders", "MANAGED", "DELTA", "YES"),
    ]
    columns = "SELECT column_name, ordinal_position, is_nullable, data_type, full_data_type, numeric_precision, numeric_scale, comment"
    assert rows(f"{columns}, partition_ordinal_position FROM {{c}}.information_schema.columns WHERE table_name = 'orders' ORDER BY 2") == [
        ("id", 1, "NO", "BIGINT", "bigint", 64, 0, "number", None),
        ("price", 2, "YES", "DECIMAL", "decimal(10,2)", 10, 2, None, None),
        ("day", 3, "YES", "DATE", "date", None, None, None, 1),
    ]
    joined = """SELECT t.table_owner, count(*) FROM {c}.information_schema.tables t JOIN {c}.information_schema.columns c
        USING (table_catalog, table_schema, table_name) WHERE t.table_schema = 'sales' GROUP BY 1"""
    assert rows(joined) == [(USER_NAME, 4)]
    assert rows("SELECT view_definition FROM {c}.information_schema.views WHERE table_schema = 'sales'") == [
        (f"SELECT id FROM {catalog}.sales.orders WHERE price > 100",)  # noqa: S608 - a name of our own
    ]
    assert rows("SELECT catalog_name FROM {c}.information_schema.information_schema_catalog_name") == [(catalog,)]


@pytest.mark.usefixtures("sales")
def test_nothing_is_kept_between_queries(spark: Any, rows: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """What REST, Spark and grants change is there in the next query of the same frame."""
    volumes = f"SELECT volume_name FROM {catalog}.information_schema.volumes"  # noqa: S608 - a name of our own
    assert spark.sql(volumes).collect() == []
    workspace.volumes.create(catalog, "sales", "files", VolumeType.MANAGED)
    assert [row[0] for row in spark.sql(volumes).collect()] == ["files"]

    workspace.grants.update("schema", f"{catalog}.sales", changes=[PermissionsChange(principal="ann", add=[Privilege.SELECT])])
    privileges = "SELECT grantee, privilege_type, inherited_from FROM {c}.information_schema"
    assert rows(f"{privileges}.schema_privileges") == [("ann", "SELECT", "NONE")]
    assert set(rows(f"{privileges}.table_privileges")) == {("ann", "SELECT", "SCHEMA")}

    rows("DROP TABLE {c}.sales.orders")
    assert rows("SELECT table_name FROM {c}.information_schema.tables WHERE table_schema = 'sales'") == [("dear",)]


@pytest.mark.usefixtures("sales")
def test_the_system_catalog_has_all_of_them(rows: Any, catalog: str) -> None:
    found = rows("SELECT table_catalog, table_name FROM system.information_schema.tables WHERE table_schema = 'sales' ORDER BY 1, 2")

    assert [pair for pair in found if pair[0] == catalog] == [(catalog, "dear"), (catalog, "orders")]
    assert (catalog,) in rows("SELECT catalog_name FROM system.information_schema.catalogs")


@pytest.mark.usefixtures("sales")
def test_the_same_over_http(workspace: WorkspaceClient, catalog: str) -> None:
    warehouse = next(iter(workspace.warehouses.list())).id or ""
    sql = f"SELECT count(*) FROM {catalog}.information_schema.columns WHERE table_schema = 'sales'"  # noqa: S608 - a name of our own
    done = workspace.statement_execution.execute_statement(sql, warehouse, wait_timeout="50s")

    assert (done.status and done.status.state, done.result and done.result.data_array) == (StatementState.SUCCEEDED, [["4"]])


def test_it_is_shown_described_and_listed(rows: Any, workspace: WorkspaceClient, catalog: str) -> None:
    assert ("information_schema",) in rows("SHOW SCHEMAS IN {c}")
    assert "table_privileges" in [row[1] for row in rows("SHOW TABLES IN {c}.information_schema")]
    assert rows("DESCRIBE TABLE {c}.information_schema.tables")[:2] == [
        ("table_catalog", "string", None),
        ("table_schema", "string", None),
    ]
    listed = {table.name: table for table in workspace.tables.list(catalog, "information_schema")}
    assert listed["columns"].owner == "System user"
    assert workspace.tables.get(f"{catalog}.information_schema.tables").table_type is not None
    assert [row[1] for row in rows("DESCRIBE TABLE {c}.information_schema.columns")] == [
        column.type_text for column in listed["columns"].columns or []
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP SCHEMA {c}.information_schema CASCADE",
        "CREATE SCHEMA {c}.information_schema",
        "ALTER SCHEMA {c}.information_schema SET DBPROPERTIES ('a' = 'b')",
        "CREATE TABLE {c}.information_schema.mine (a INT)",
        "CREATE OR REPLACE TABLE {c}.information_schema.tables AS SELECT 1 AS a",
        "CREATE VIEW {c}.information_schema.mine AS SELECT 1 AS a",
        "DROP TABLE {c}.information_schema.tables",
        "INSERT INTO {c}.information_schema.information_schema_catalog_name VALUES ('mine')",
        "DELETE FROM {c}.information_schema.tables",
        "UPDATE {c}.information_schema.tables SET table_owner = 'me'",
        "ALTER TABLE {c}.information_schema.tables ADD COLUMN a INT",
        "SELECT * FROM {c}.information_schema.nothing",
    ],
)
def test_nobody_changes_it(rows: Any, statement: str) -> None:
    """Nor is there a folder of it afterwards."""
    before = rows("SELECT count(*) FROM {c}.information_schema.columns WHERE table_schema = 'information_schema'")

    with pytest.raises(Exception, match=r"PERMISSION_DENIED|ALREADY_EXISTS|UNSUPPORTED|NOT_FOUND|does not support|owned by the system"):
        rows(statement)

    assert rows("SELECT count(*) FROM {c}.information_schema.columns WHERE table_schema = 'information_schema'") == before
