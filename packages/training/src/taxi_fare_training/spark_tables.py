"""The tables, on Spark and Unity Catalog."""

from typing import TYPE_CHECKING

import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, ResourceAlreadyExists
from databricks.sdk.service.catalog import VolumeType

from taxi_fare_features import FEATURE_COLUMNS, KEY, SPLIT, TARGET, TIME, feature_columns
from taxi_fare_training.names import PREDICTION, Names, quoted
from taxi_fare_training.ports import TableVersion

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_INCOMING = "taxi_fare_features_incoming"
_PREDICTIONS = "taxi_fare_baseline_predictions"
_MODEL_COLUMNS = (KEY, *FEATURE_COLUMNS, TARGET)


class SparkTables:
    """`Tables` for one set of names; rows are only ever added."""

    def __init__(self, *, spark: "SparkSession", workspace: WorkspaceClient, names: Names) -> None:
        self._spark = spark
        self._workspace = workspace
        self._names = names

    def prepare(self) -> None:
        """Create the schema and the volume unless they exist; two tasks may do so at once."""
        names = self._names
        self._spark.sql(f"CREATE SCHEMA IF NOT EXISTS {quoted(names.schema_name)}")
        try:
            self._workspace.volumes.create(names.catalog, names.schema, names.volume, VolumeType.MANAGED)
        except (AlreadyExists, ResourceAlreadyExists):
            return

    def refresh_features(self, source_table: str) -> TableVersion:
        """Add to the feature table the trips whose key it does not hold; it is made with its Change Data Feed on."""
        table = self._names.feature_table
        feature_columns(self._spark.table(quoted(source_table)), source_table).createOrReplaceTempView(_INCOMING)
        if self._spark.catalog.tableExists(quoted(table)):
            # Rows are never changed: a trip's features follow from the trip, and its key from all of it.
            condition = f"known.{KEY} = new.{KEY}"
            self._spark.sql(f"MERGE INTO {quoted(table)} AS known USING {_INCOMING} AS new ON {condition} WHEN NOT MATCHED THEN INSERT *")
        else:
            rows = f"SELECT * FROM {_INCOMING}"  # noqa: S608 - a constant
            self._create(table, rows, switch="delta.enableChangeDataFeed", comment="Features of taxi trips; one row a trip")
        return self._version(table)

    def freeze_evaluation_set(self) -> TableVersion | None:
        """Return the evaluation set; the first call that finds test rows copies them, later ones leave them as they are."""
        table = self._names.evaluation_set
        if not self._spark.catalog.tableExists(quoted(table)):
            rows = f"SELECT * FROM {quoted(self._names.feature_table)} WHERE {SPLIT} = 'test'"  # noqa: S608 - the name is quoted
            if self._spark.sql(f"{rows} LIMIT 1").first() is None:
                return None
            self._create(table, rows, switch="delta.appendOnly", comment="Frozen test rows on which every model version is judged")
        return self._version(table)

    def training_rows(self, features: TableVersion) -> pd.DataFrame:
        """Return the training rows of the feature table at that version."""
        return self._rows(features, "train")

    def evaluation_rows(self, evaluation_set: TableVersion) -> pd.DataFrame:
        """Return the evaluation set at that version."""
        return self._rows(evaluation_set, "test")

    def write_baseline(self, evaluation_set: TableVersion, predictions: pd.DataFrame, *, version: str) -> None:
        """Make or replace the baseline table: the columns that monitored rows have, for the evaluation set at its version."""
        self._spark.createDataFrame(predictions).createOrReplaceTempView(_PREDICTIONS)
        features = ", ".join(FEATURE_COLUMNS)
        rows = (
            f"SELECT {KEY}, {features}, {PREDICTION}, {TARGET} AS label, {TARGET} AS evaluation_label, "  # noqa: S608 - constants and quoted names
            f"'{version}' AS model_version, {TIME} AS event_time, {TIME} AS request_time "
            f"FROM {quoted(evaluation_set.name)} VERSION AS OF {evaluation_set.version} JOIN {_PREDICTIONS} USING ({KEY})"
        )
        table = self._names.baseline
        if self._spark.catalog.tableExists(quoted(table)):
            self._spark.sql(f"INSERT OVERWRITE {quoted(table)} {rows}")
        else:
            self._create(table, rows, switch="delta.enableChangeDataFeed", comment="What monitors compare with: frozen rows, scored")

    def _rows(self, table: TableVersion, split: str) -> pd.DataFrame:
        columns = ", ".join(_MODEL_COLUMNS)
        query = f"SELECT {columns} FROM {quoted(table.name)} VERSION AS OF {table.version} WHERE {SPLIT} = '{split}'"  # noqa: S608 - quoted
        rows: pd.DataFrame = self._spark.sql(query).toPandas()
        return rows

    def _create(self, table: str, query: str, *, switch: str, comment: str) -> None:
        self._spark.sql(f"CREATE TABLE {quoted(table)} USING delta COMMENT '{comment}' TBLPROPERTIES ('{switch}' = 'true') AS {query}")

    def _version(self, table: str) -> TableVersion:
        latest = self._spark.sql(f"DESCRIBE HISTORY {quoted(table)} LIMIT 1").first()
        return TableVersion(table, int(latest["version"]))
