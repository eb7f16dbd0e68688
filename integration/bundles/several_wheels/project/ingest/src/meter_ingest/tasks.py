"""The tasks of this wheel. Their entry points are in a group of its own."""

from pathlib import Path

from databricks.sdk.runtime import dbutils
from meter_common import Reading, arguments
from pyspark.sql import SparkSession

DAYS = 5


def take_in() -> None:
    """Write a day's readings; the gateway answers only when it is asked again."""
    given = arguments("table", "notes", "meters")
    asked = Path(f"{given.notes}.txt")
    if not asked.exists():
        asked.write_text("asked once\n")
        raise ConnectionError("the gateway does not answer")
    readings = [Reading(meter, day, day * 100 * meter) for meter in range(1, int(given.meters) + 1) for day in range(DAYS)]
    leak = Reading(len(readings) // DAYS, DAYS, 9999)
    spark = SparkSession.builder.getOrCreate()
    frame = spark.createDataFrame([(each.meter, each.day, each.litres) for each in [*readings, leak]], "meter int, day int, litres long")
    frame.write.mode("overwrite").saveAsTable(given.table)
    dbutils.jobs.taskValues.set("rows", frame.count())
    print(f"{frame.count()} readings, {asked.read_text().strip()} before")


def check() -> None:
    """Fail when a reading is missing, or when told to."""
    given = arguments("table", "broken")
    rows = SparkSession.builder.getOrCreate().table(given.table).count()
    said = dbutils.jobs.taskValues.get(taskKey="take_in", key="rows", debugValue=0)
    if rows != said:
        raise ValueError(f"{rows} readings are there, {said} were written")
    if given.broken == "yes":
        raise RuntimeError("the main pipe is broken")
    print(f"{rows} readings are well")
