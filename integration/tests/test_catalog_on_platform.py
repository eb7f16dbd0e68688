"""One namespace for REST and Spark: what either makes, renames or removes, the other sees, also when they do so at once."""

import io
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.catalog import (
    ColumnTypeName,
    CreateFunction,
    CreateFunctionParameterStyle,
    CreateFunctionRoutineBody,
    CreateFunctionSecurityType,
    CreateFunctionSqlDataAccess,
    ForeignKeyConstraint,
    FunctionParameterInfo,
    FunctionParameterInfos,
    PrimaryKeyConstraint,
    TableConstraint,
    TableType,
    VolumeType,
)

from harness.config import Layout

pytestmark = pytest.mark.platform


def test_views_and_functions_of_spark_are_told_over_rest(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    spark.sql(f"CREATE TABLE {catalog}.default.t (id BIGINT NOT NULL, CONSTRAINT pk PRIMARY KEY (id))")
    spark.sql(f"CREATE VIEW {catalog}.default.v COMMENT 'ours' AS SELECT id FROM {catalog}.default.t")  # noqa: S608 - names of our own
    spark.sql(f"CREATE FUNCTION {catalog}.default.f(x INT DEFAULT 1) RETURNS INT COMMENT 'adds' RETURN x + 1")

    view, function = workspace.tables.get(f"{catalog}.default.v"), workspace.functions.get(f"{catalog}.default.f")
    keys = workspace.tables.get(f"{catalog}.default.t").table_constraints or []

    assert (view.table_type, view.comment) == (TableType.VIEW, "ours")
    assert view.view_definition == f"SELECT id FROM {catalog}.default.t"  # noqa: S608 - a name of our own
    assert (function.routine_definition, function.comment) == ("x + 1", "adds")
    assert [key.primary_key_constraint and key.primary_key_constraint.child_columns for key in keys] == [["id"]]
    routines = f"SELECT routine_name, data_type, routine_definition FROM {catalog}.information_schema.routines"  # noqa: S608 - a name of our own
    assert [tuple(row) for row in spark.sql(routines).collect()] == [("f", "INT", "x + 1")]
    named = f"SELECT constraint_type, column_name FROM {catalog}.information_schema.table_constraints"  # noqa: S608 - a name of our own
    joined = f"{named} JOIN {catalog}.information_schema.key_column_usage USING (constraint_name)"
    assert [tuple(row) for row in spark.sql(joined).collect()] == [("PRIMARY KEY", "id")]
    spark.sql(f"ALTER VIEW {catalog}.default.v RENAME TO {catalog}.default.w")
    assert workspace.tables.get(f"{catalog}.default.w").table_id == view.table_id
    workspace.functions.delete(f"{catalog}.default.f")
    workspace.tables.delete(f"{catalog}.default.w")
    assert not spark.catalog.tableExists(f"{catalog}.default.w")


def test_keys_are_one_truth_for_rest_and_spark(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """What REST declares Spark tells, and the other way round; either takes away what the other declared, and CASCADE what refers to it."""
    place, named = f"{catalog}.default", "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    spark.sql(f"CREATE TABLE {place}.p (id BIGINT NOT NULL, `at 1` TIMESTAMP NOT NULL, CONSTRAINT by_sql PRIMARY KEY (id)) {named}")
    spark.sql(f"CREATE TABLE {place}.c (a INT GENERATED ALWAYS AS (CAST(b AS INT)), b BIGINT)")
    before = spark.table(f"{place}.c").schema
    workspace.table_constraints.create(
        f"{place}.c", TableConstraint(foreign_key_constraint=ForeignKeyConstraint("by_rest", ["b"], f"{place}.p", ["id"], rely=True))
    )

    described = {row[0]: row[1] for row in spark.sql(f"DESCRIBE TABLE EXTENDED {place}.c").collect()}
    assert described["by_rest"] == f"FOREIGN KEY (b) REFERENCES {place}.p (id) NOT ENFORCED RELY"
    ((made,),) = spark.sql(f"SHOW CREATE TABLE {place}.c").collect()
    assert f"CONSTRAINT by_rest FOREIGN KEY (b) REFERENCES {place}.p (id) RELY" in made
    assert "GENERATED ALWAYS AS (CAST(b AS INT))" in made
    assert spark.table(f"{place}.c").schema == before
    with pytest.raises(Exception, match=rf"INVALID_PARAMETER_VALUE.*is referred to by {place}.c"):
        spark.sql(f"ALTER TABLE {place}.p DROP CONSTRAINT by_sql")
    spark.sql(f"ALTER TABLE {place}.p DROP PRIMARY KEY CASCADE")
    assert [workspace.tables.get(f"{place}.{name}").table_constraints for name in "pc"] == [[], []]

    key = PrimaryKeyConstraint("series", ["id", "at 1"], timeseries_columns=["at 1"])
    workspace.table_constraints.create(f"{place}.p", TableConstraint(primary_key_constraint=key))
    assert "CONSTRAINT series PRIMARY KEY (id, `at 1` TIMESERIES)" in spark.sql(f"SHOW CREATE TABLE {place}.p").first()[0]
    spark.sql(f"ALTER TABLE {place}.p DROP CONSTRAINT series")
    spark.sql(f"ALTER TABLE {place}.p ADD CONSTRAINT again PRIMARY KEY (id)")
    workspace.table_constraints.delete(f"{place}.p", "again", cascade=False)
    spark.sql(f"ALTER TABLE {place}.p DROP CONSTRAINT IF EXISTS again")
    assert "CONSTRAINT" not in spark.sql(f"SHOW CREATE TABLE {place}.p").first()[0]


def test_a_function_made_over_rest_is_called_by_spark(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """And refused in Spark's words; its owner changes, and deleted it is gone for Spark too."""

    def asked(name: str, body: str) -> CreateFunction:
        return CreateFunction(
            name=name,
            catalog_name=catalog,
            schema_name="default",
            input_params=FunctionParameterInfos([FunctionParameterInfo("x", "INT", ColumnTypeName.INT, 0, parameter_default="41")]),
            data_type=ColumnTypeName.INT,
            full_data_type="INT",
            routine_body=CreateFunctionRoutineBody.SQL,
            routine_definition=body,
            parameter_style=CreateFunctionParameterStyle.S,
            is_deterministic=True,
            sql_data_access=CreateFunctionSqlDataAccess.CONTAINS_SQL,
            is_null_call=True,
            security_type=CreateFunctionSecurityType.DEFINER,
            specific_name=name,
            comment="adds",
        )

    made = workspace.functions.create(asked("inc", "x + 1"))

    assert (made.full_name, made.routine_definition, made.comment) == (f"{catalog}.default.inc", "x + 1", "adds")
    assert tuple(spark.sql(f"SELECT {catalog}.default.inc(1), {catalog}.default.inc()").first()) == (2, 42)
    assert workspace.functions.update(f"{catalog}.default.inc", owner="ann@example.com").owner == "ann@example.com"
    with pytest.raises(BadRequest, match=r"UNRESOLVED_COLUMN.*`zz`"):
        workspace.functions.create(asked("wrong", "x + zz"))
    workspace.functions.delete(f"{catalog}.default.inc")
    with pytest.raises(Exception, match="UNRESOLVED_ROUTINE"):
        spark.sql(f"SELECT {catalog}.default.inc(1)").collect()


def test_what_python_makes_in_sql_is_told_over_rest(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """A function with a body in Python, and a table of what Python functions return."""
    from pyspark.sql.functions import udf

    spark.sql(f"CREATE FUNCTION {catalog}.default.py(x INT) RETURNS STRING LANGUAGE PYTHON AS $$ return 'n' + str(x) $$")
    spark.range(1).select(udf(str, "string")("id").alias("s")).createOrReplaceTempView("made_by_python")
    spark.sql(f"CREATE TABLE {catalog}.default.t AS SELECT {catalog}.default.py(1) AS f, s FROM made_by_python")  # noqa: S608 - names of our own

    function, table = workspace.functions.get(f"{catalog}.default.py"), workspace.tables.get(f"{catalog}.default.t")

    assert function.routine_body is not None
    assert (function.routine_body.value, function.external_language) == ("EXTERNAL", "PYTHON")
    assert function.routine_definition == " return 'n' + str(x) "
    assert [each.full_name for each in workspace.functions.list(catalog, "default")] == [f"{catalog}.default.py"]
    assert [(each.name, each.type_text) for each in table.columns or []] == [("f", "string"), ("s", "string")]
    assert [tuple(row) for row in spark.table(f"{catalog}.default.t").collect()] == [("n1", "0")]
    routines = f"SELECT routine_body, external_language FROM {catalog}.information_schema.routines"  # noqa: S608 - a name of our own
    assert [tuple(row) for row in spark.sql(routines).collect()] == [("EXTERNAL", "PYTHON")]
    workspace.functions.delete(f"{catalog}.default.py")
    with pytest.raises(Exception, match="UNRESOLVED_ROUTINE"):
        spark.sql(f"SELECT {catalog}.default.py(1)")


def test_every_client_lists_the_same_catalogs(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Also one that begins with an underscore; nothing of the harness's own."""
    workspace.catalogs.create(f"_{catalog}")
    try:
        spark.sql(f"CREATE TABLE _{catalog}.default.t AS SELECT 1 AS a")
        told = {each.name for each in workspace.catalogs.list()}

        assert {f"_{catalog}", "main", "system"} <= told
        assert {each.name for each in spark.catalog.listCatalogs()} == told
        assert {row.catalog for row in spark.sql("SHOW CATALOGS").collect()} == told
        assert [each.name for each in spark.catalog.listCatalogs(f"{catalog.upper()}*|no'ne")] == [catalog]
    finally:
        workspace.catalogs.delete(f"_{catalog}", force=True)


def test_schema_that_spark_makes_again_is_another_one(spark: Any, workspace: WorkspaceClient, catalog: str, layout: Layout) -> None:
    """Without what the first one held; one that holds a volume goes only by force."""
    spark.sql(f"CREATE SCHEMA {catalog}.s COMMENT 'first'")
    first = workspace.schemas.get(f"{catalog}.s")
    workspace.volumes.create(catalog, "s", "files", VolumeType.MANAGED)
    with pytest.raises(Exception, match="SCHEMA_NOT_EMPTY"):
        spark.sql(f"DROP SCHEMA {catalog}.s")

    spark.sql(f"DROP SCHEMA {catalog}.s CASCADE")
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    again = workspace.schemas.get(f"{catalog}.s")

    assert (first.comment, again.comment) == ("first", None)
    assert first.schema_id != again.schema_id
    assert list(workspace.volumes.list(catalog, "s")) == []
    assert not (layout.files / f"Volumes/{catalog}/s/files").exists()


def test_comment_of_a_schema_is_one_for_both(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    workspace.schemas.update(f"{catalog}.default", comment="by REST", properties={"team": "a"})
    described = {row[0]: row[1] for row in spark.sql(f"DESCRIBE SCHEMA EXTENDED {catalog}.default").collect()}
    assert described["Comment"] == "by REST"

    spark.sql(f"COMMENT ON SCHEMA {catalog}.default IS 'by SQL'")
    assert (workspace.schemas.get(f"{catalog}.default").comment, workspace.schemas.get(f"{catalog}.default").properties) == (
        "by SQL",
        {"team": "a"},
    )


def test_renamed_schema_and_catalog_are_met_by_their_new_names(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """By Spark too, in a session that knew the old ones; what is made under those again is another, and stays so."""
    spark.sql(f"CREATE SCHEMA {catalog}.s")
    spark.sql(f"CREATE TABLE {catalog}.s.t AS SELECT 1 AS a")
    spark.sql(f"CREATE FUNCTION {catalog}.s.f(x INT) RETURNS INT RETURN x + 1")
    workspace.volumes.create(catalog, "s", "files", VolumeType.MANAGED)
    workspace.files.upload(f"/Volumes/{catalog}/s/files/a.txt", io.BytesIO(b"1"))
    assert spark.table(f"{catalog}.s.t").count() == 1

    workspace.schemas.update(f"{catalog}.s", new_name="moved")
    workspace.catalogs.update(catalog, new_name=f"{catalog}_2")
    workspace.catalogs.create(catalog)
    spark.sql(f"CREATE SCHEMA {catalog}.moved")
    spark.sql(f"CREATE TABLE {catalog}.moved.t AS SELECT 'other' AS b")

    spark.sql(f"INSERT INTO {catalog}_2.moved.t VALUES (2)")  # noqa: S608 - a name of our own
    assert sorted(row.a for row in spark.table(f"{catalog}_2.moved.t").collect()) == [1, 2]
    assert spark.sql(f"SELECT {catalog}_2.moved.f(1)").first()[0] == 2
    assert [row[0] for row in spark.read.text(f"/Volumes/{catalog}_2/moved/files/a.txt").collect()] == ["1"]
    assert [row.b for row in spark.table(f"{catalog}.moved.t").collect()] == ["other"]
    for name in (f"{catalog}.s.t", f"{catalog}_2.s.t"):
        assert not spark.catalog.tableExists(name)
    workspace.catalogs.delete(f"{catalog}_2", force=True)


def test_renamed_volume_has_its_files_under_its_new_name(spark: Any, workspace: WorkspaceClient, catalog: str, layout: Layout) -> None:
    """For Spark, for plain Python (whose `/Volumes` these folders are), for the Files API; and nothing under the old one."""
    workspace.volumes.create(catalog, "default", "old", VolumeType.MANAGED)
    workspace.files.upload(f"/Volumes/{catalog}/default/old/a.txt", io.BytesIO(b"1"))

    workspace.volumes.update(f"{catalog}.default.old", new_name="new")

    assert [row[0] for row in spark.read.text(f"/Volumes/{catalog}/default/new/a.txt").collect()] == ["1"]
    assert (layout.files / f"Volumes/{catalog}/default/new/a.txt").read_text() == "1"
    assert not (layout.files / f"Volumes/{catalog}/default/old").exists()
    with pytest.raises(NotFound):
        workspace.files.download(f"/Volumes/{catalog}/default/old/a.txt")


def _at_once(acts: list[Callable[[], object]]) -> Counter[str]:
    def run(act: Callable[[], object]) -> str:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - Spark's and the client's have no base of their own
            return next(word for word in ("ALREADY_EXISTS", "already exists", "NOT_FOUND", "does not exist") if word in str(error))
        return "done"

    with ThreadPoolExecutor(len(acts)) as pool:
        return Counter(pool.map(run, acts))


def test_one_of_rest_and_spark_wins(spark: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """To make a schema, and to remove it; each time it is another one."""
    ids = set()
    for _ in range(3):
        made = _at_once([lambda: spark.sql(f"CREATE SCHEMA {catalog}.raced"), lambda: workspace.schemas.create("raced", catalog)])
        ids.add(workspace.schemas.get(f"{catalog}.raced").schema_id)
        removed = _at_once(
            [lambda: spark.sql(f"DROP SCHEMA {catalog}.raced CASCADE"), lambda: workspace.schemas.delete(f"{catalog}.raced", force=True)]
        )
        assert made["done"] == 1
        assert removed["done"] >= 1
        assert "raced" not in {schema.name for schema in workspace.schemas.list(catalog)}
    assert len(ids) == 3
