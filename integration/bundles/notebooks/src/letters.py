# Databricks notebook source
# DBTITLE 1,Job parameters arrive as widgets
dbutils.widgets.text("late", "0")
dbutils.widgets.text("table", "")

late = int(dbutils.widgets.get("late"))

# COMMAND ----------

titles = [row.title for row in spark.table(dbutils.widgets.get("table")).where("late").orderBy("title", "branch").collect()]
for title in titles:
    print("Please bring back:", title)
if len(titles) != late:
    raise ValueError(f"{late} letters were asked for, {len(titles)} books are late")

# COMMAND ----------

dbutils.notebook.exit(f"{late} letters")
