# Databricks notebook source
# MAGIC %run ./names

# COMMAND ----------

dbutils.widgets.text("table", "loans")
dbutils.widgets.text("branch", "")

branch = dbutils.widgets.get("branch")
rows = spark.table(full_name(dbutils.widgets.get("table"))).where(f"branch = '{branch}'")
late = rows.where("late").count()
print(f"{branch}: {rows.count()} loans, {late} late")

# COMMAND ----------

dbutils.notebook.exit(f"{branch}={late}")
