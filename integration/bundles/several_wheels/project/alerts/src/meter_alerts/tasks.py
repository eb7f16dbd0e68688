"""The tasks of this wheel."""

import sys
from itertools import pairwise

from databricks.sdk.runtime import dbutils
from meter_common import Reading, arguments, is_leak
from prettytable import PrettyTable
from pyspark.sql import SparkSession


def alert() -> None:
    """Print the meters that leak."""
    rows = SparkSession.builder.getOrCreate().table(arguments("table").table).orderBy("meter", "day").collect()
    readings = [Reading(row.meter, row.day, row.litres) for row in rows]
    leaks = [after for before, after in pairwise(readings) if before.meter == after.meter and is_leak(before, after)]
    table = PrettyTable(["meter", "day", "litres"])
    table.add_rows([[leak.meter, leak.day, leak.litres] for leak in leaks])
    print(table)
    dbutils.jobs.taskValues.set("leaks", [leak.meter for leak in leaks])


def say() -> None:
    """Print what was given."""
    print(*sys.argv[1:])
