"""SQL of Unity Catalog that Spark does not parse, through the unmodified clients of Spark and of the platform."""

from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import StatementState
from pyspark.errors import AnalysisException, ParseException

pytestmark = pytest.mark.platform


def rows(spark: Any, statement: str, args: Any = None) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in spark.sql(statement, args).collect()]


def comment(spark: Any, catalog: str) -> str:
    return str(dict(rows(spark, f"DESCRIBE CATALOG {catalog}"))["Comment"])


def tags(workspace: WorkspaceClient, kind: str, name: str) -> dict[str, str | None]:
    return {each.tag_key: each.tag_value for each in workspace.entity_tag_assignments.list(kind, name)}


@pytest.fixture(params=["Spark Connect", "statement execution"])
def run(request: pytest.FixtureRequest, spark: Any, workspace: WorkspaceClient) -> Any:
    """Return what carries a statement out and gives its rows of text, by either door."""

    def by_spark(statement: str) -> list[list[str | None]]:
        return [[None if value is None else str(value) for value in row] for row in spark.sql(statement).collect()]

    def by_http(statement: str) -> list[list[str | None]]:
        warehouse = next(iter(workspace.warehouses.list())).id or ""
        done = workspace.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
        assert done.status is not None
        assert done.status.state == StatementState.SUCCEEDED, done.status
        return [[*row] for row in (done.result.data_array if done.result else None) or []]

    return by_spark if request.param == "Spark Connect" else by_http


def test_both_doors_lead_to_the_catalog_of_rest(run: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Catalogs, volumes and grants of SQL are those of `w.catalogs`, `w.volumes` and `w.grants`."""
    run(f"COMMENT ON CATALOG {catalog} IS 'it''s \\\\ \"ours\"'")
    run(f"CREATE VOLUME {catalog}.default.files COMMENT 'raw'")
    run(f"GRANT READ VOLUME ON VOLUME {catalog}.default.files TO `ann@example.com`;")

    assert workspace.catalogs.get(catalog).comment == 'it\'s \\ "ours"'
    assert workspace.volumes.read(f"{catalog}.default.files").comment == "raw"
    held = workspace.grants.get("volume", f"{catalog}.default.files").privilege_assignments or []
    assert [(each.principal, [name.value for name in each.privileges or []]) for each in held] == [("ann@example.com", ["READ_VOLUME"])]
    assert [catalog] in run("SHOW CATALOGS")
    assert run(f"SHOW VOLUMES IN {catalog}.default") == [["default", "files"]]


def test_an_error_is_spark_s_own_with_its_condition_and_state(spark: Any) -> None:
    with pytest.raises(AnalysisException) as refused:
        spark.sql("DROP CATALOG no_such_catalog")

    assert refused.value.getCondition() == "NO_SUCH_CATALOG_EXCEPTION"
    assert refused.value.getSqlState() == "42704"


def test_parameters_are_values_and_names(spark: Any, catalog: str) -> None:
    """Named, by position, in `IDENTIFIER`, and in `EXECUTE IMMEDIATE`; one that is not given is Spark's error."""
    name = {"catalog": catalog, "said": 'it\'s \\ "so" -- ; ünï'}
    rows(spark, "CREATE VOLUME IDENTIFIER(:catalog || '.default.files') COMMENT :said", name)
    rows(spark, f"ALTER VOLUME {catalog}.default.files SET TAGS (? = ?, 'b' 'c' = r'\\d')", ["a", "1"])

    assert rows(spark, f"DESCRIBE VOLUME {catalog}.default.files")[0][-1] == name["said"]
    assert rows(spark, "LIST ? LIMIT ?", [f"/Volumes/{catalog}/default/files", 3]) == []
    assert rows(spark, "SHOW CATALOGS LIKE :catalog", name) == [(catalog,)]
    assert rows(spark, f"EXECUTE IMMEDIATE 'SHOW VOLUMES IN IDENTIFIER(?)' USING '{catalog}.default'") == [("default", "files")]
    with pytest.raises(AnalysisException, match="UNBOUND_SQL_PARAMETER"):
        rows(spark, "CREATE CATALOG IDENTIFIER(:none)", {"other": "x"})


def test_tags_follow_what_they_are_on(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Through `CREATE OR REPLACE`, and through the renaming of a column, whose successor of the same name has none."""
    table = f"{catalog}.default.trips"
    rows(spark, f"CREATE TABLE {table} (a INT, b INT) TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    rows(spark, f"ALTER TABLE {table} ALTER COLUMN a SET TAGS ('pii' = 'no', 'only key')")
    rows(spark, f"ALTER TABLE {table} RENAME COLUMN a TO c")
    assert tags(workspace, "columns", f"{table}.c") == {"pii": "no", "only key": ""}

    rows(spark, f"ALTER TABLE {table} DROP COLUMN c")
    rows(spark, f"ALTER TABLE {table} ADD COLUMN c INT")
    rows(spark, f"SET TAG ON TABLE {table} gold = `2`")
    rows(spark, f"GRANT SELECT ON TABLE {table} TO ann")
    rows(spark, f"CREATE OR REPLACE TABLE {table} AS SELECT 1 AS z")
    assert tags(workspace, "tables", table) == {"gold": "2"}
    assert rows(spark, f"SHOW GRANTS ON {table}") == [("ann", "SELECT", "TABLE", table)]

    rows(spark, f"DROP TABLE {table}")
    rows(spark, f"CREATE TABLE {table} (c INT)")
    assert (tags(workspace, "tables", table), tags(workspace, "columns", f"{table}.c")) == ({}, {})


def test_views_have_tags_and_queries_find_them(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Of a view and of its columns; beside those of its catalog and schema."""
    view = f"{catalog}.default.seen"
    rows(spark, f"CREATE VIEW {view} AS SELECT 1 AS a, 2 AS b")
    for statement in (
        f"ALTER VIEW {view} SET TAGS ('kind' = 'view', 'gone')",
        f"ALTER VIEW {view} UNSET TAGS ('gone')",
        f"SET TAG ON COLUMN {view}.b pii = `no`",
        f"ALTER CATALOG {catalog} SET TAGS ('level' = '1')",
        f"ALTER SCHEMA {catalog}.default SET TAGS ('level' = '2')",
    ):
        rows(spark, statement)

    def found(relation: str, columns: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in spark.table(f"{catalog}.information_schema.{relation}").select(*columns.split()).collect()]

    assert tags(workspace, "tables", view) == {"kind": "view"}
    assert found("table_tags", "table_name tag_name tag_value") == [("seen", "kind", "view")]
    assert found("column_tags", "column_name tag_name tag_value") == [("b", "pii", "no")]
    assert found("catalog_tags", "tag_name tag_value") == [("level", "1")]
    assert found("schema_tags", "schema_name tag_name tag_value") == [("default", "level", "2")]
    rows(spark, f"DROP VIEW {view}")
    assert found("table_tags", "tag_name") == []


def test_a_script_holds_the_platform_s_statements(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """With its variables, handlers and branches; what one makes, the next can name."""
    made = f"{catalog}_script"
    script = f"""BEGIN
      DECLARE name STRING DEFAULT '{made}';
      /* one; */ CREATE CATALOG IDENTIFIER(name) COMMENT 'a;b'; -- GRANT
      IF 1 = 1 THEN CREATE VOLUME {made}.default.v; ELSE DROP CATALOG no_such_catalog; END IF;
      USE CATALOG {made};
      CREATE TABLE {made}.default.t AS SELECT CASE WHEN true THEN 'grant' ELSE 'SHOW VOLUMES' END AS list;
      BEGIN
        DECLARE EXIT HANDLER FOR SQLSTATE '42704' SELECT 'handled';
        DROP CATALOG no_such_catalog;
      END;
    END"""
    try:
        rows(spark, script)
        assert workspace.catalogs.get(made).comment == "a;b"
        assert [tuple(row) for row in spark.table(f"{made}.default.t").collect()] == [("grant",)]
        assert rows(spark, f"SHOW VOLUMES IN {made}.default") == [("default", "v")]
    finally:
        rows(spark, "USE CATALOG main")
        rows(spark, f"DROP CATALOG IF EXISTS {made} CASCADE")


@pytest.mark.parametrize("escaped", ["false", "true"])
def test_no_text_reaches_another_statement(spark: Any, catalog: str, escaped: str) -> None:
    """Whatever a literal holds, and however the session reads literals, it is one value: the one Spark itself reads."""
    texts = ["'", "\\'", "\\\\'); DROP CATALOG main; --", "a\\nb\\u0041", "*/ /* --", "?0 :x", "´`\"'' ''' 🙂", "\\"]
    spark.conf.set("spark.sql.parser.escapedStringLiterals", escaped)
    try:
        for text in texts:
            literal = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
            rows(spark, f"COMMENT ON CATALOG {catalog} IS /* {'x'} */ {literal} -- end")
            assert comment(spark, catalog) == rows(spark, f"SELECT {literal}")[0][0]
    finally:
        spark.conf.unset("spark.sql.parser.escapedStringLiterals")
    assert rows(spark, "SHOW CATALOGS LIKE 'main'") == [("main",)]


def test_what_spark_understands_it_carries_out(spark: Any, catalog: str) -> None:
    """Words of ours elsewhere than at the beginning of a statement are nothing special, nor are tables that are called like them."""
    rows(spark, "CREATE OR REPLACE TEMP VIEW catalog AS SELECT 1 AS grant, 2 AS volume")
    columns = [("grant", "int", None), ("volume", "int", None)]
    for statement in (
        "DESCRIBE catalog",
        "DESC\tcatalog ;",
        "DESCRIBE TABLE catalog",
        "DESCRIBE EXTENDED catalog",
        "DESCRIBE catalog -- x",
    ):
        assert rows(spark, statement) == columns
    assert rows(spark, "SELECT 'SHOW VOLUMES' AS list, grant FROM catalog /* DROP CATALOG main */") == [("SHOW VOLUMES", 1)]
    assert rows(spark, "LIST FILES") == []
    rows(spark, f"COMMENT ON SCHEMA {catalog}.default IS 'GRANT ON x'")
    rows(spark, f"CREATE TABLE {catalog}.default.volume (set INT COMMENT 'SET TAGS (')")
    rows(spark, f"COMMENT ON TABLE {catalog}.default.volume IS 'of it'")
    rows(spark, f"COMMENT ON COLUMN {catalog}.default.volume.set IS 'of its column'")
    rows(spark, f"ALTER TABLE {catalog}.default.volume SET TBLPROPERTIES ('set tags' = '1')")
    assert rows(spark, f"DESCRIBE {catalog}.default.volume") == [("set", "int", "of its column")]
    for wrong in ("GRANT", "DROP CATALOG /* no end", "SHOW CATALOGS; SHOW CATALOGS"):
        with pytest.raises((AnalysisException, ParseException)) as refused:
            rows(spark, wrong)
        assert refused.value.getSqlState() == "42601"
