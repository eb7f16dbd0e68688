"""Says why no letter is written. A script, not a notebook."""

import sys

import humanize
from pyspark.sql import SparkSession

late, tolerated = map(int, sys.argv[1:])
spark = SparkSession.builder.getOrCreate()
weeks = spark.range(tolerated + 1).count()
print(f"{humanize.apnumber(late)} late, {tolerated} tolerated; Spark counted {weeks}")
