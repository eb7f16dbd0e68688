# Databricks notebook source
# MAGIC %md
# MAGIC # Prepare the loans
# MAGIC Reads the file beside this notebook, marks what is late, and tells the job.

# COMMAND ----------

# MAGIC %pip install "humanize>=4"

# COMMAND ----------

dbutils.library.restartPython()

# COMMAND ----------

# MAGIC %run ./names

# COMMAND ----------

# DBTITLE 1,What is asked for
dbutils.widgets.text("table", "loans")
dbutils.widgets.text("days", "21")

days = int(dbutils.widgets.get("days"))
table = full_name(dbutils.widgets.get("table"))

# COMMAND ----------

from datetime import date

import humanize
import pandas as pd
from late_rules import is_late

today = date(2025, 6, 1)
loans = pd.read_csv("loans.csv", parse_dates=["borrowed"])
loans["late"] = [is_late(each.date(), today, days) for each in loans["borrowed"]]
print(humanize.apnumber(int(loans["late"].sum())), "of", len(loans), "are late")

# COMMAND ----------

catalog, schema = dbutils.widgets.get("catalog"), dbutils.widgets.get("schema")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")
spark.createDataFrame(loans).write.mode("overwrite").saveAsTable(table)
spark.table(table).createOrReplaceTempView("loans_now")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT branch, count(*) AS loans, count_if(late) AS late FROM loans_now GROUP BY branch ORDER BY branch

# COMMAND ----------

by_branch = _sqldf.collect()
_sqldf.display()
dbutils.jobs.taskValues.set("branches", [row.branch for row in by_branch])
dbutils.jobs.taskValues.set("late", sum(row.late for row in by_branch))

# COMMAND ----------

import json

dbutils.notebook.exit(json.dumps({row.branch: row.loans for row in by_branch}))
