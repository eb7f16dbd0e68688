"""Spark Connect: SQL and frames over three-level names, views, changes, streams, time travel, files in a volume.

`python spark_connect.py` with DATABRICKS_HOST, DATABRICKS_TOKEN and SPARK_REMOTE set; nothing else is needed.
"""

import uuid

from pyspark.errors import AnalysisException
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as f

SCHEMA = f"main.s_{uuid.uuid4().hex[:8]}"
TRIPS = f"{SCHEMA}.trips"


def main() -> None:
    """Play it through."""
    spark = SparkSession.builder.getOrCreate()
    spark.sql("USE CATALOG main")
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA} COMMENT 'tried'")
    try:
        tables(spark)
        history(spark)
        streams(spark)
        volumes(spark)
        refused(spark)
    finally:
        spark.sql(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        spark.stop()


def tables(spark: SparkSession) -> None:
    """Write and read tables as frames and as SQL; parameters, views, the catalog's own calls."""
    frame = spark.range(6).select("id", (f.col("id") * 2.5).alias("fare"), f.lit("card").alias("payment"))
    frame.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(TRIPS)
    spark.sql(f"ALTER TABLE {TRIPS} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
    frame.limit(0).writeTo(TRIPS).append()
    assert spark.table(TRIPS).agg(f.sum("fare")).collect() == [Row(**{"sum(fare)": 37.5})]
    assert spark.sql(f"SELECT count(*) AS n FROM {TRIPS} WHERE fare > :least", {"least": 5}).collect() == [Row(n=3)]
    assert spark.sql("SELECT ? + 1 AS two", [1]).collect() == [Row(two=2)]
    spark.sql(f"CREATE OR REPLACE VIEW {SCHEMA}.dear AS SELECT * FROM {TRIPS} WHERE fare > 5")
    assert spark.table(f"{SCHEMA}.dear").count() == 3
    assert spark.catalog.tableExists(TRIPS)
    assert {row.tableName for row in spark.sql(f"SHOW TABLES IN {SCHEMA}").collect()} >= {"trips"}
    spark.sql(f"USE {SCHEMA}")
    assert spark.sql("SELECT current_catalog() AS c, current_schema() AS s").collect() == [Row(c="main", s=SCHEMA.partition(".")[2])]
    assert spark.table("trips").count() == 6


def history(spark: SparkSession) -> None:
    """Change rows, travel in time, read the change feed."""
    spark.createDataFrame([Row(id=0, fare=100.0, payment="cash"), Row(id=9, fare=1.0, payment="cash")]).createOrReplaceTempView("news")
    spark.sql(
        f"MERGE INTO {TRIPS} t USING news n ON t.id = n.id WHEN MATCHED THEN UPDATE SET fare = n.fare, payment = n.payment "
        "WHEN NOT MATCHED THEN INSERT (id, fare, payment) VALUES (n.id, n.fare, n.payment)"
    )
    spark.sql(f"DELETE FROM {TRIPS} WHERE id = 5")
    versions = [row.version for row in spark.sql(f"DESCRIBE HISTORY {TRIPS}").collect()]
    newest = max(versions)
    assert spark.sql(f"SELECT * FROM {TRIPS} VERSION AS OF {newest - 2}").count() == 6
    changes = spark.read.option("readChangeFeed", True).option("startingVersion", newest - 1).table(TRIPS)
    kinds = {row["_change_type"]: row["count"] for row in changes.groupBy("_change_type").count().collect()}
    assert kinds == {"insert": 1, "update_preimage": 1, "update_postimage": 1, "delete": 1}


def streams(spark: SparkSession) -> None:
    """Read a table as a stream into another, once."""
    copied, checkpoint = f"{SCHEMA}.copied", f"/Volumes/{SCHEMA.replace('.', '/')}/files/checkpoint"
    spark.sql(f"CREATE VOLUME IF NOT EXISTS {SCHEMA}.files")
    stream = spark.readStream.option("skipChangeCommits", True).table(TRIPS)
    query = stream.writeStream.option("checkpointLocation", checkpoint).trigger(availableNow=True).toTable(copied)
    assert query.awaitTermination(120)
    assert spark.table(copied).count() == 6


def volumes(spark: SparkSession) -> None:
    """Write and read files by their volume's path."""
    path = f"/Volumes/{SCHEMA.replace('.', '/')}/files/trips.csv"
    spark.table(TRIPS).coalesce(1).write.option("header", True).mode("overwrite").csv(path)
    assert spark.read.option("header", True).option("inferSchema", True).csv(path).count() == 6


def refused(spark: SparkSession) -> None:
    """See what goes wrong, with the names that were written."""
    for statement, condition in (
        (f"SELECT * FROM {SCHEMA}.nothing", "TABLE_OR_VIEW_NOT_FOUND"),
        (f"SELECT nothing FROM {TRIPS}", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
        (f"CREATE TABLE {TRIPS} (id INT)", "TABLE_OR_VIEW_ALREADY_EXISTS"),
        (f"DROP SCHEMA {SCHEMA}", "SCHEMA_NOT_EMPTY"),
    ):
        try:
            spark.sql(statement).collect()
        except AnalysisException as error:
            assert error.getCondition() == condition, (statement, error)
            assert "__" not in str(error), error
        else:
            raise AssertionError(f"not refused: {statement}")


if __name__ == "__main__":
    main()
