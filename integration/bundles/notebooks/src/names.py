# Databricks notebook source
# MAGIC %md
# MAGIC What the other notebooks take by `%run`: where the loans are, and how a name is written.

# COMMAND ----------

dbutils.widgets.text("catalog", "main")
dbutils.widgets.text("schema", "library")


def full_name(table):
    """Return the table's name with catalog and schema."""
    return ".".join([dbutils.widgets.get("catalog"), dbutils.widgets.get("schema"), table])
