"""`DeltaTable`, Delta's own Python API, over Spark Connect: every command, once each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("ignore")]  # pyspark's own warnings are not what these test


@pytest.fixture
def spark(workbench: Any) -> Iterator[Any]:
    """A session with a schema."""
    session = workbench.session()
    session.sql("CREATE SCHEMA IF NOT EXISTS main.delta_api")
    yield session
    session.stop()


@pytest.fixture
def name(spark: Any, request: pytest.FixtureRequest) -> str:
    """A table of five rows, in one file."""
    table = f"main.delta_api.{request.node.name.split('[')[0]}"
    spark.range(0, 5, 1, 1).selectExpr("id", "id * 1.0D AS fare").writeTo(table).using("delta").create()
    return table


def rows(spark: Any, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in spark.table(table).orderBy("id").collect()]


def operations(spark: Any, table: str) -> list[str]:
    return [row.operation for row in spark.sql(f"DESCRIBE HISTORY {table}").orderBy("version").collect()]


def test_a_merge_brings_columns_and_deletes_what_the_source_lacks(spark: Any, name: str) -> None:
    """With schema evolution, and by every clause of its kind."""
    from delta.tables import DeltaTable

    source = spark.createDataFrame([(1, 10.0, "a"), (9, 9.0, "b")], "id long, fare double, note string")

    merge = DeltaTable.forName(spark, name).alias("t").merge(source.alias("s"), "t.id = s.id").withSchemaEvolution()
    merge = merge.whenMatchedUpdateAll().whenNotMatchedInsert("s.id > 5", {"id": "s.id", "note": "upper(s.note)"})
    merge.whenNotMatchedBySourceDelete("t.id < 3").whenNotMatchedBySourceUpdate(set={"fare": "-1D"}).execute()

    assert rows(spark, name) == [(1, 10.0, "a"), (3, -1.0, None), (4, -1.0, None), (9, None, "B")]
    assert operations(spark, name) == ["CREATE TABLE AS SELECT", "MERGE"]


def test_a_merge_that_cannot_be_decided_changes_nothing(spark: Any, name: str) -> None:
    """Two rows of the source for one of the table."""
    from delta.tables import DeltaTable

    source = spark.createDataFrame([(1,), (1,)], "id long")

    with pytest.raises(Exception, match="DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"):
        DeltaTable.forName(spark, name).alias("t").merge(source.alias("s"), "t.id = s.id").whenMatchedUpdate(set={"fare": "0D"}).execute()

    assert operations(spark, name) == ["CREATE TABLE AS SELECT"]


def test_upkeep_happens_once(spark: Any, name: str) -> None:
    """Compaction, ordering, restoring, clones, manifests, the protocol."""
    from delta.tables import DeltaTable

    table = DeltaTable.forName(spark, name)
    table.delete("id = 0")
    table.update("id = 1", {"fare": "7D"})
    spark.range(10, 12, 1, 2).selectExpr("id", "1.0D AS fare").writeTo(name).append()

    compacted = table.optimize().executeCompaction().first()
    table.optimize().executeZOrderBy("id")
    table.restoreToVersion(0)
    table.upgradeTableProtocol(1, 3)
    table.addFeatureSupport("deletionVectors")
    table.clone(f"{name}_deep", isShallow=False, properties={"k": "v"})
    table.cloneAtVersion(1, f"{name}_shallow", isShallow=True, replace=True)
    table.vacuum(1000)

    assert compacted.path.startswith("unity:/main/delta_api/")
    assert operations(spark, name)[:6] == ["CREATE TABLE AS SELECT", "DELETE", "UPDATE", "WRITE", "OPTIMIZE", "OPTIMIZE"]
    assert operations(spark, name)[6:9] == ["RESTORE", "SET TBLPROPERTIES", "SET TBLPROPERTIES"]
    assert rows(spark, f"{name}_deep") == [(number, float(number)) for number in range(5)]
    assert [row[0] for row in rows(spark, f"{name}_shallow")] == [1, 2, 3, 4]
    assert DeltaTable.forName(spark, f"{name}_deep").detail().first().properties["k"] == "v"


def test_builders_make_and_replace(spark: Any, name: str) -> None:
    """Create, replace, and either."""
    from delta.tables import DeltaTable

    made = f"{name}_made"
    with pytest.raises(Exception, match=r"TABLE_OR_VIEW_NOT_FOUND|CANNOT_REPLACE_MISSING"):
        DeltaTable.replace(spark).tableName(made).addColumn("a", "INT").execute()
    DeltaTable.createOrReplace(spark).tableName(made).addColumn("a", "INT").clusterBy("a").execute()
    DeltaTable.replace(spark).tableName(made).addColumns(spark.table(name).schema).property("k", "v").execute()

    assert spark.table(made).columns == ["id", "fare"]
    assert operations(spark, made) == ["CREATE OR REPLACE TABLE", "REPLACE TABLE"]


def test_paths_are_tables(spark: Any, tmp_path: Path) -> None:
    """By path, once converted from Parquet."""
    from delta.tables import DeltaTable

    path = str(tmp_path / "files")
    spark.range(3).write.parquet(path)
    assert not DeltaTable.isDeltaTable(spark, path)

    spark.sql(f"CONVERT TO DELTA parquet.`{path}`")
    DeltaTable.forPath(spark, path).delete("id = 0")

    assert DeltaTable.isDeltaTable(spark, path)
    assert DeltaTable.forPath(spark, path).alias("x").toDF().select("x.id").count() == 2


def test_files_become_a_table(spark: Any, name: str, tmp_path: Path) -> None:
    """From Parquet, by Delta's own API: a folder, one with partitions, and an external table, once and again."""
    from delta.tables import DeltaTable
    from pyspark.sql.types import LongType, StructField, StructType

    spark.range(3).write.parquet(str(tmp_path / "files"))
    by = spark.range(3).selectExpr("id", "id % 2 AS p").write.partitionBy("p")
    by.parquet(str(tmp_path / "parts"))
    by.parquet(str(tmp_path / "external"))
    spark.sql(f"CREATE TABLE {name}_e (id BIGINT, p BIGINT) USING parquet PARTITIONED BY (p) LOCATION '{tmp_path}/external'")

    assert DeltaTable.convertToDelta(spark, f"parquet.`{tmp_path}/files`").toDF().count() == 3
    parts = DeltaTable.convertToDelta(spark, f"parquet.`{tmp_path}/parts`", StructType([StructField("p", LongType())]))
    assert parts.history().count() == 1
    spark.sql(f"CONVERT TO DELTA {name}_e")
    converted = DeltaTable.convertToDelta(spark, f"{name}_e")
    converted.delete("id = 0")

    assert operations(spark, f"{name}_e") == ["CONVERT", "DELETE"]
    assert rows(spark, f"{name}_e") == [(1, 1), (2, 0)]


def test_others_read_a_manifest(spark: Any, name: str, workbench: Any) -> None:
    """`generate` lists a table's files; of another kind of manifest it says so."""
    from delta.tables import DeltaTable

    DeltaTable.forName(spark, name).generate("symlink_format_manifest")

    folder = workbench.layout.warehouse / "main/delta_api" / name.rpartition(".")[2]
    (file,) = (folder / "_symlink_format_manifest/manifest").read_text().splitlines()
    assert (folder / file.rpartition("/")[2]).is_file()
    with pytest.raises(Exception, match="DELTA_MODE_NOT_SUPPORTED"):
        DeltaTable.forName(spark, name).generate("none")
