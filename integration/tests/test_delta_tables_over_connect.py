"""`DeltaTable`, Delta's own Python API, unchanged over Spark Connect."""

from typing import Any

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as sql

pytestmark = pytest.mark.platform


@pytest.fixture
def table(spark: Any, catalog: str) -> str:
    """A table of five rows."""
    name = f"{catalog}.default.trips"
    spark.range(5).selectExpr("id", "id * 1.0D AS fare").writeTo(name).using("delta").create()
    return name


def rows(spark: Any, table: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in spark.table(table).orderBy("id").collect()]


def test_a_merge_happens_once(spark: Any, table: str) -> None:
    """Updated, inserted and deleted by every kind of clause; one entry in the history."""
    source = spark.createDataFrame([(1, 10.0), (2, -1.0), (9, 9.0)], "id long, fare double")

    merge = DeltaTable.forName(spark, table).alias("t").merge(source.alias("s"), "t.id = s.id")
    merge = merge.whenMatchedDelete("s.fare < 0").whenMatchedUpdate(set={"fare": sql.col("s.fare") + 1}).whenNotMatchedInsertAll()
    merge.whenNotMatchedBySourceUpdate("t.id = 4", {"fare": "0D"}).execute()

    assert rows(spark, table) == [(0, 0.0), (1, 11.0), (3, 3.0), (4, 0.0), (9, 9.0)]
    history = DeltaTable.forName(spark, table).history()
    assert [row.operation for row in history.orderBy("version").collect()] == ["CREATE TABLE AS SELECT", "MERGE"]


def test_delete_and_update(spark: Any, table: str) -> None:
    """With conditions as text and as columns, and without."""
    trips = DeltaTable.forName(spark, table)

    trips.delete("id = 0")
    trips.delete(sql.col("id") == 1)
    trips.update("id = 2", {"fare": "fare + 5"})
    trips.update(set={"id": sql.col("id") + 100})

    assert rows(spark, table) == [(102, 7.0), (103, 3.0), (104, 4.0)]
    trips.delete()
    assert trips.toDF().count() == 0


def test_what_is_told_of_a_table(spark: Any, table: str) -> None:
    """Detail, a frame of it, and whether a path is one."""
    trips = DeltaTable.forName(spark, table)

    assert trips.detail().first().format == "delta"
    assert trips.toDF().where("id > 2").count() == 2
    assert trips.history(1).count() == 1


def test_paths(spark: Any, workspace: Any, catalog: str) -> None:
    """In a volume, by its path."""
    from databricks.sdk.service.catalog import VolumeType

    workspace.volumes.create(catalog, "default", "v", VolumeType.MANAGED)
    path = f"/Volumes/{catalog}/default/v/trips"
    assert not DeltaTable.isDeltaTable(spark, path)
    spark.range(3).write.format("delta").save(path)

    DeltaTable.forPath(spark, path).delete("id = 0")

    assert DeltaTable.isDeltaTable(spark, path)
    assert DeltaTable.forPath(spark, path).toDF().count() == 2


def test_upkeep(spark: Any, table: str) -> None:
    """Optimize, vacuum, restore, properties of the protocol."""
    trips = DeltaTable.forName(spark, table)
    trips.delete("id = 0")

    trips.optimize().executeCompaction()
    trips.optimize().executeZOrderBy("id")
    trips.vacuum(1000)
    trips.restoreToVersion(0)
    trips.addFeatureSupport("deletionVectors")

    assert trips.toDF().count() == 5


def test_tables_are_made(spark: Any, catalog: str) -> None:
    """By the builder: columns, partitions, comments, properties; again only where that is allowed."""
    name = f"{catalog}.default.made"
    builder = DeltaTable.createIfNotExists(spark).tableName(name).addColumn("id", "BIGINT", nullable=False, comment="it's it")
    builder = builder.addColumn("day", "DATE", generatedAlwaysAs="CAST(at AS DATE)").addColumn("at", "TIMESTAMP").partitionedBy("day")
    builder = builder.property("delta.appendOnly", "true").comment("made")

    builder.execute()
    builder.execute()

    assert [field.name for field in spark.table(name).schema] == ["id", "day", "at"]
    assert DeltaTable.forName(spark, name).detail().first().partitionColumns == ["day"]
    with pytest.raises(Exception, match="TABLE_OR_VIEW_ALREADY_EXISTS"):
        DeltaTable.create(spark).tableName(name).addColumn("id", "INT").execute()


def test_errors_are_spark_s_and_name_what_the_user_named(spark: Any, table: str, catalog: str) -> None:
    """With their condition, and no folder of the harness."""
    with pytest.raises(Exception, match="UNRESOLVED_COLUMN") as wrong:
        DeltaTable.forName(spark, table).delete("nope = 1")
    with pytest.raises(Exception, match=f"{catalog}.*none"):
        DeltaTable.forName(spark, f"{catalog}.default.none").toDF().collect()

    assert "/warehouse/" not in str(wrong.value)
