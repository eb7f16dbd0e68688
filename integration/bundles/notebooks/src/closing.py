# Databricks notebook source
dbutils.widgets.text("begun", "")
dbutils.widgets.text("job", "")

branches = dbutils.jobs.taskValues.get(taskKey="prepare", key="branches", debugValue=[])
late = dbutils.jobs.taskValues.get(taskKey="prepare", key="late", default=0)
print(f"{dbutils.widgets.get('job')} of {dbutils.widgets.get('begun')}: {len(branches)} branches, {late} late")

# COMMAND ----------

dbutils.notebook.exit("done")
