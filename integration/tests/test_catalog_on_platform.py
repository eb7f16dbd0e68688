"""One namespace for REST and Spark: what either makes, renames or removes, the other sees, also when they do so at once."""

import io
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.catalog import TableType, VolumeType

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
    workspace.functions.delete(f"{catalog}.default.f")
    workspace.tables.delete(f"{catalog}.default.v")
    assert not spark.catalog.tableExists(f"{catalog}.default.v")


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
