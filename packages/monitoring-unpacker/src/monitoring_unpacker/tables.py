# ruff: noqa: S608 - table and column names cannot be parameters; every part is quoted by `quoted` and `literal`
from collections.abc import Iterable
from dataclasses import dataclass

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.schema import RESERVED, Field, Schema

VERSION_PROPERTY = "monitoring_unpacker.payload_version"
ID_PROPERTY = "monitoring_unpacker.payload_id"
# Documented by the platform: which model version a `served_entity_id` of an inference table stands for.
SERVED_ENTITIES = "system.serving.served_entities"


def quoted(name: str) -> str:
    """Return a dotted name with each part in backticks."""
    return ".".join(f"`{part.replace('`', '``')}`" for part in name.split("."))


def literal(text: str) -> str:
    """Return `text` as a SQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of one endpoint's monitoring, and the statements over them.

    Attributes:
        payload: the inference table, written by the platform.
        processed: typed, labelled rows, one per prediction.
        quarantine: logged requests that could not be unpacked, with a reason.
        labels: the table with the ground truth.
        label_column: its label.
        marker_column: its column that says which rows the model was trained on; None when there is none.
        training_value: the marker's value of such rows.
        schema: what requests and answers hold; its key is also the label table's.
        label_type: SQL type of the label.
        event_time_column: the label table's TIMESTAMP column that says when the thing predicted happened; None when requests come as
            it happens. With it the processed table has `event_time`, the request's own time until the label is there.
        set_aside: prefix of the `client_request_id`s of requests that are no use of the model (a deployment's checks); None for none.
        data_columns: columns for the features, and the key, where they are not the schema's own: other versions bring more.
        served_entities: the system table that says which version a served entity stands for, or a view of it for who may not read it.
    """

    payload: str
    processed: str
    quarantine: str
    labels: str
    label_column: str
    schema: Schema
    label_type: str = "DOUBLE"
    marker_column: str | None = None
    training_value: str = "train"
    event_time_column: str | None = None
    set_aside: str | None = None
    data_columns: tuple[Field, ...] | None = None
    served_entities: str = SERVED_ENTITIES

    def __post_init__(self) -> None:
        taken = {*RESERVED, *(field.name.lower() for field in self.schema.columns)}
        if self.marker_column is not None and self.marker_column.lower() in taken:
            raise MonitoringError(f"training marker column {self.marker_column}: the processed table already has a column of that name")

    @property
    def staging(self) -> str:
        """The table that holds unpacked rows between the unpacking and the two MERGEs."""
        return f"{self.processed}_staging"

    @property
    def unpacked(self) -> tuple[Field, ...]:
        """The columns that come out of requests and answers: features, key, prediction."""
        return (*(self.schema.columns if self.data_columns is None else self.data_columns), self.schema.prediction)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The processed table's columns.

        `evaluation_label` is the label of rows that the model was not trained on: a monitor that takes it as its label
        reports the error on unseen rows. `model_version` is the served entity's id until the version is known.
        """
        marker = (Field(self.marker_column, "STRING"),) if self.marker_column else ()
        event_time = (Field("event_time", "TIMESTAMP"),) if self.event_time_column else ()
        return (
            Field("example_id", "STRING"),
            Field("databricks_request_id", "STRING"),
            Field("client_request_id", "STRING"),
            Field("request_time", "TIMESTAMP"),
            Field("request_date", "DATE"),
            Field("status_code", "INT"),
            Field("served_entity_id", "STRING"),
            Field("model_version", "STRING"),
            *self.unpacked,
            Field("label", self.label_type),
            Field("evaluation_label", self.label_type),
            *marker,
            *event_time,
        )

    def create(self) -> tuple[str, str]:
        """Return the statements that create the processed table, with its change data feed, and the quarantine.

        Statistics are kept only of the columns that runs and monitors bound: for all of them they cost half of the writing.
        """
        columns = ", ".join(f"{quoted_part(field.name)} {field.type}" for field in self.columns)
        bounded = "request_date,request_time,event_time" if self.event_time_column else "request_date,request_time"
        feed = "USING DELTA TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true'"
        quarantine = (
            "databricks_request_id STRING, request_time TIMESTAMP, status_code INT, served_entity_id STRING, reason STRING, "
            "request STRING, response STRING"
        )
        return (
            f"CREATE TABLE IF NOT EXISTS {quoted(self.processed)} ({columns}) {feed}, 'delta.dataSkippingStatsColumns' = '{bounded}')",
            f"CREATE TABLE IF NOT EXISTS {quoted(self.quarantine)} ({quarantine}) {feed})",
        )

    def add_columns(self, existing: dict[str, str]) -> str | None:
        """Return the statement that adds what a newer model version brings; None when nothing is missing.

        Raises:
            MonitoringError: a column is there with another type.
        """
        for field in self.columns:
            found = existing.get(field.name, field.type)
            if found.upper() != field.type.upper():
                what = f"column {field.name} is {found} but the model now has {field.type}"
                raise MonitoringError(f"table {self.processed}: {what}; use another --processed-table")
        missing = [field for field in self.columns if field.name not in existing]
        if not missing:
            return None
        added = ", ".join(f"{quoted_part(field.name)} {field.type}" for field in missing)
        return f"ALTER TABLE {quoted(self.processed)} ADD COLUMNS ({added})"

    def set_aside_count(self) -> str:
        """Return the query of how many logged requests are set aside."""
        return f"SELECT COUNT(*) AS n FROM {quoted(self.payload)} WHERE NOT ({self.in_use('') or 'TRUE'})"

    def in_use(self, joined_by: str) -> str:
        """Return the condition, after `joined_by`, that leaves out what is set aside; nothing when nothing is."""
        if self.set_aside is None:
            return ""
        return f"{joined_by}NOT STARTSWITH(COALESCE(client_request_id, ''), {literal(self.set_aside)})"

    def merge_processed(self, *, versions: bool, days: str | None = None) -> str:
        """Return the statement that adds unpacked rows, with their labels; rows that are there already stay as they are.

        Args:
            versions: whether the system table of served entities can be read.
            days: bounds of the new rows' `request_date`, as SQL: only such rows can be there already.
        """
        names = ", ".join(quoted_part(field.name) for field in self.columns)
        values = ", ".join(f"new.{quoted_part(field.name)}" for field in self.columns)
        bounds = f" AND known.request_date BETWEEN {days}" if days else ""
        return (
            f"MERGE INTO {quoted(self.processed)} AS known USING ({self._labelled(versions=versions)}) AS new "
            f"ON known.example_id = new.example_id{bounds} WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})"
        )

    def merge_quarantine(self) -> str:
        """Return the statement that adds requests that could not be unpacked, once each."""
        columns = ("databricks_request_id", "request_time", "status_code", "served_entity_id", "reason", "request", "response")
        return (
            f"MERGE INTO {quoted(self.quarantine)} AS known USING (SELECT * FROM {quoted(self.staging)} WHERE reason IS NOT NULL) AS new "
            "ON known.databricks_request_id = new.databricks_request_id "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(columns)}) VALUES ({', '.join(f'new.{column}' for column in columns)})"
        )

    def merge_late_labels(self) -> str:
        """Return the statement that fills in labels which came after their rows."""
        key = quoted_part(self.schema.key.name)
        marker = f", known.{quoted_part(self.marker_column)} = labels.marker" if self.marker_column else ""
        event_time = ", known.event_time = COALESCE(labels.event_time, known.event_time)" if self.event_time_column else ""
        return (
            f"MERGE INTO {quoted(self.processed)} AS known USING ({self._labels()}) AS labels ON known.{key} = labels.label_key "
            "WHEN MATCHED AND known.label IS NULL AND labels.label IS NOT NULL THEN UPDATE SET "
            f"known.label = labels.label, known.evaluation_label = labels.evaluation_label{marker}{event_time}"
        )

    def merge_late_versions(self) -> str:
        """Return the statement that names versions which the system table did not know before."""
        return (
            f"MERGE INTO {quoted(self.processed)} AS known USING ({self._versions()}) AS entities "
            "ON known.served_entity_id = entities.served_entity_id AND known.model_version = known.served_entity_id "
            "WHEN MATCHED THEN UPDATE SET known.model_version = entities.entity_version"
        )

    def waiting_counts(self) -> str:
        """Return the query of how many processed rows wait for their label, and for the name of their version."""
        unlabelled, unnamed = "COUNT_IF(label IS NULL) AS unlabelled", "COUNT_IF(model_version <=> served_entity_id) AS unnamed"
        return f"SELECT {unlabelled}, {unnamed} FROM {quoted(self.processed)}"

    def repeated_keys(self) -> str:
        """Return the query of how many keys the label table has more than once: each would multiply its predictions."""
        key = quoted_part(self.schema.key.name)
        labels = quoted(self.labels)
        return f"SELECT COUNT(*) AS n FROM (SELECT {key} FROM {labels} WHERE {key} IS NOT NULL GROUP BY {key} HAVING COUNT(*) > 1)"

    def staged_counts(self) -> str:
        """Return the query that counts staged requests and rows, and says from which days they are."""
        return (
            "SELECT COUNT(row_index) AS n, COUNT(reason) AS quarantined, COUNT_IF(row_index = 0) AS unpacked, "
            f"COUNT_IF(request_date IS NULL) AS undated, MIN(request_date) AS first_day, MAX(request_date) AS last_day "
            f"FROM {quoted(self.staging)}"
        )

    def entities(self, ids: Iterable[str]) -> str:
        """Return the query of which model and version these served entities stand for."""
        wanted = ", ".join(literal(entity) for entity in sorted(ids))
        newest = "MAX_BY(STRUCT(entity_name, entity_version), change_time) AS newest"
        return (
            f"SELECT served_entity_id, newest.entity_name, newest.entity_version FROM (SELECT served_entity_id, {newest} "
            f"FROM {quoted(self.served_entities)} WHERE served_entity_id IN ({wanted}) GROUP BY served_entity_id)"
        )

    def remember(self, *, payload_id: str, version: int) -> str:
        """Return the statement that notes how far the payload table is processed."""
        return (
            f"ALTER TABLE {quoted(self.processed)} SET TBLPROPERTIES "
            f"({literal(ID_PROPERTY)} = {literal(payload_id)}, {literal(VERSION_PROPERTY)} = '{version}')"
        )

    def _labelled(self, *, versions: bool) -> str:
        key = quoted_part(self.schema.key.name)
        data = ", ".join(f"staged.{quoted_part(field.name)}" for field in self.unpacked)
        version = "COALESCE(entities.entity_version, staged.served_entity_id)" if versions else "staged.served_entity_id"
        entities = f"LEFT JOIN ({self._versions()}) AS entities ON entities.served_entity_id = staged.served_entity_id " if versions else ""
        marker = f", labels.marker AS {quoted_part(self.marker_column)}" if self.marker_column else ""
        event_time = ", COALESCE(labels.event_time, staged.request_time) AS event_time" if self.event_time_column else ""
        return (
            "SELECT CONCAT(staged.databricks_request_id, ':', staged.row_index) AS example_id, staged.databricks_request_id, "
            "staged.client_request_id, staged.request_time, staged.request_date, staged.status_code, staged.served_entity_id, "
            f"{version} AS model_version, {data}, labels.label, labels.evaluation_label{marker}{event_time} "
            f"FROM {quoted(self.staging)} AS staged LEFT JOIN ({self._labels()}) AS labels ON labels.label_key = staged.{key} "
            f"{entities}WHERE staged.reason IS NULL"
        )

    def _labels(self) -> str:
        key, label = quoted_part(self.schema.key.name), quoted_part(self.label_column)
        time = f", CAST({quoted_part(self.event_time_column)} AS TIMESTAMP) AS event_time" if self.event_time_column else ""
        if self.marker_column is None:
            return f"SELECT {key} AS label_key, {label} AS label, {label} AS evaluation_label{time} FROM {quoted(self.labels)}"
        marker = f"CAST({quoted_part(self.marker_column)} AS STRING)"
        unseen = f"IF({marker} <=> {literal(self.training_value)}, NULL, {label})"
        columns = f"{label} AS label, {unseen} AS evaluation_label, {marker} AS marker{time}"
        return f"SELECT {key} AS label_key, {columns} FROM {quoted(self.labels)}"

    def _versions(self) -> str:
        return (
            "SELECT served_entity_id, MAX_BY(entity_version, change_time) AS entity_version "
            f"FROM {quoted(self.served_entities)} GROUP BY served_entity_id"
        )


def quoted_part(name: str) -> str:
    """Return one name in backticks; dots in it are part of it."""
    return f"`{name.replace('`', '``')}`"
