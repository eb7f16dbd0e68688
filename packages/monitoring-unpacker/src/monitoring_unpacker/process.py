from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from monitoring_unpacker.arrow import output_ddl, send_by_value, unpacker
from monitoring_unpacker.entities import SchemaOfVersion, schemas_by_entity, versions_known
from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.schema import Field
from monitoring_unpacker.sources import Source
from monitoring_unpacker.tables import ID_PROPERTY, VERSION_PROPERTY, Tables, quoted
from monitoring_unpacker.versions import Reading, plan_reading

_FEED = "delta.enableChangeDataFeed"
# The feed was switched on later, or does not reach back so far: docs.databricks.com/aws/en/error-messages/error-classes
_NO_FEED = frozenset(("DELTA_MISSING_CHANGE_DATA", "DELTA_CHANGE_TABLE_FEED_DISABLED", "DELTA_FILE_NOT_FOUND_DETAILED"))


@dataclass(frozen=True, slots=True)
class Counts:
    """What a run found and left: new requests and rows of this run, then totals of the tables."""

    new_requests: int = 0
    new_rows: int = 0
    new_quarantined: int = 0
    payload_rows: int = 0
    processed_rows: int = 0
    labelled_rows: int = 0
    quarantined_rows: int = 0
    set_aside_rows: int = 0


@dataclass(frozen=True, slots=True)
class _Position:
    """A state of the payload table: which table it is, and its version."""

    table_id: str
    version: int


@dataclass(frozen=True, slots=True)
class _Found:
    """What a source holds: how many requests to expect, whether ids repeat, and which served entities answered."""

    source: Source
    requests: int
    repeated: bool
    entities: tuple[str | None, ...]


def process(spark: Any, tables: Tables, *, progress: Callable[[str], None], schema_of_version: SchemaOfVersion | None = None) -> Counts:
    """Unpack what was logged since the last run, attach labels, and return the counts; a second run changes nothing.

    How far the payload table is processed is a property of the processed table, written after both MERGEs: a run that
    dies earlier is repeated, and MERGE by id makes the repetition harmless. A payload table that is not there yet is
    no error: nothing has been logged.

    Args:
        spark: the session.
        tables: where everything lies; their schema types requests whose model version is not known.
        progress: is told what happens.
        schema_of_version: gives the schema of a version that answered, by the model's name and the version; None: all have the tables' one.
    """
    if not spark.catalog.tableExists(tables.payload):
        progress(f"{tables.payload}: no data yet, the platform creates it with the first logged request")
        return Counts()
    _check_labels(spark, tables)
    for create in tables.create():
        spark.sql(create).collect()
    new = _process_new(spark, tables, progress, schema_of_version)
    _catch_up(spark, tables)
    total = spark.sql(f"SELECT COUNT(*) AS n, COUNT(label) AS labelled FROM {quoted(tables.processed)}").first()  # noqa: S608 - quoted
    counts = Counts(
        new_requests=new[0],
        new_rows=new[1],
        new_quarantined=new[2],
        payload_rows=_count(spark, tables.payload),
        processed_rows=int(total["n"]),
        labelled_rows=int(total["labelled"]),
        quarantined_rows=_count(spark, tables.quarantine),
        set_aside_rows=int(spark.sql(tables.set_aside_count()).first()["n"]),
    )
    progress(
        f"logged requests {counts.payload_rows} · processed rows {counts.processed_rows} · labelled {counts.labelled_rows} · "
        f"quarantined requests {counts.quarantined_rows} · requests set aside {counts.set_aside_rows}"
    )
    return counts


def _check_labels(spark: Any, tables: Tables) -> None:
    if not spark.catalog.tableExists(tables.labels):
        raise MonitoringError(f"table {tables.labels}: there is none; it has to hold the ground truth, by {tables.schema.key.name}")
    wanted = (tables.schema.key.name, tables.label_column, tables.marker_column, tables.event_time_column)
    there = spark.table(tables.labels).columns
    lowered = {name.lower() for name in there}
    if missing := [name for name in wanted if name is not None and name.lower() not in lowered]:
        raise MonitoringError(f"table {tables.labels}: no column {', '.join(missing)}; it has {', '.join(there)}")
    repeated = int(spark.sql(tables.repeated_keys()).first()["n"])
    if repeated:
        raise MonitoringError(
            f"table {tables.labels}: {repeated} values of {tables.schema.key.name} stand in more than one row; "
            "each prediction would be counted more than once, make the key unique"
        )


def _process_new(
    spark: Any, tables: Tables, progress: Callable[[str], None], schema_of_version: SchemaOfVersion | None
) -> tuple[int, int, int]:
    """Process what was logged since the last run; return how many requests, rows and quarantined requests there were."""
    now = _position(spark, tables.payload)
    source = _source(spark, tables, now)
    if source is None:
        progress(f"{tables.payload}: nothing new since version {now.version}")
        return 0, 0, 0
    found = _look(spark, tables, source)
    progress(f"{tables.payload}: unpack {_described(found.source)}, up to version {now.version}: {found.requests} requests")
    counts = 0, 0, 0
    if found.requests:
        by_entity = schemas_by_entity(spark, tables, found.entities, schema_of_version=schema_of_version, progress=progress)
        existing = [Field(column.name, column.dataType.simpleString().upper()) for column in spark.table(tables.processed).schema.fields]
        taken = (tables.marker_column,) if tables.marker_column else ()
        reading = plan_reading(tables.schema, by_entity=by_entity, existing=existing, taken=taken)
        wide = replace(tables, data_columns=reading.columns)
        if statement := wide.add_columns({column.name: column.type for column in existing}):
            spark.sql(statement).collect()
        counts = _unpack_new(spark, wide, found, reading)
        progress(f"{tables.payload}: {counts[0]} requests, {counts[1]} rows unpacked, {counts[2]} requests quarantined")
    spark.sql(tables.remember(payload_id=now.table_id, version=now.version)).collect()
    spark.sql(f"DROP TABLE IF EXISTS {quoted(tables.staging)}").collect()
    return counts


def _look(spark: Any, tables: Tables, source: Source) -> _Found:
    """Return what there is to read, without reading the texts."""
    from pyspark.errors import PySparkException

    try:
        counted = spark.sql(source.identities(tables)).groupBy("served_entity_id").agg(*_measures()).collect()
    except PySparkException as error:
        if source.after is None or (error.getCondition() or "").split(".")[0] not in _NO_FEED:
            raise
        return _look(spark, tables, Source(source.until, unknown_only=True))
    requests, ids, unidentified = (sum(int(row[name]) for row in counted) for name in ("requests", "ids", "unidentified"))
    repeated = bool(unidentified) or ids < requests
    if source.unknown_only and counted:
        source = replace(source, days=_days(counted, margin=0))
    expected = requests
    if repeated and requests:
        expected = int(spark.sql(source.logged(tables)).select("databricks_request_id").distinct().count())
    return _Found(source, expected, repeated, tuple(row["served_entity_id"] for row in counted))


def _measures() -> list[Any]:
    from pyspark.sql.functions import expr

    return [
        expr("COUNT(*) AS requests"),
        expr("COUNT(DISTINCT databricks_request_id) AS ids"),
        expr("COUNT_IF(databricks_request_id IS NULL) AS unidentified"),
        expr("MIN(request_date) AS first_day"),
        expr("MAX(request_date) AS last_day"),
    ]


def _unpack_new(spark: Any, tables: Tables, found: _Found, reading: Reading) -> tuple[int, int, int]:
    logged = spark.sql(found.source.logged(tables))
    if found.repeated:
        logged = logged.dropDuplicates(["databricks_request_id"])
    send_by_value()
    unpacked = logged.mapInArrow(unpacker(reading), output_ddl(reading))
    writing = unpacked.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
    writing.option("delta.dataSkippingNumIndexedCols", "0").saveAsTable(
        tables.staging
    )  # read whole, once: statistics would be half the work
    staged = spark.sql(tables.staged_counts()).first()
    rows, quarantined = int(staged["n"]), int(staged["quarantined"])
    if found.requests != int(staged["unpacked"]) + quarantined:
        raise MonitoringError(
            f"{tables.payload}: {found.requests} logged requests became {staged['unpacked']} unpacked and {quarantined} quarantined; "
            "nothing was written, please report this"
        )
    days = None if staged["undated"] else _days([staged], margin=1)
    if rows:
        spark.sql(tables.merge_processed(versions=versions_known(spark, tables.served_entities), days=days)).collect()
    if quarantined:
        spark.sql(tables.merge_quarantine()).collect()
    return found.requests, rows, quarantined


def _described(source: Source) -> str:
    if source.unknown_only:
        return "what is in neither processed table nor quarantine"
    return "everything" if source.after is None else f"what came after version {source.after}"


def _days(rows: Sequence[Any], *, margin: int) -> str | None:
    """Return the bounds of the days of these rows as SQL, `margin` days wider; None when a row has none."""
    first, last = ([row[name] for row in rows] for name in ("first_day", "last_day"))
    if None in first:
        return None
    wider = timedelta(days=margin)
    return f"DATE'{min(first) - wider}' AND DATE'{max(last) + wider}'"


def _catch_up(spark: Any, tables: Tables) -> None:
    """Fill in what came late: labels, and versions that the system table did not know yet. A MERGE costs more than looking first."""
    waiting = spark.sql(tables.waiting_counts()).first()
    if waiting["unlabelled"]:
        spark.sql(tables.merge_late_labels()).collect()
    if waiting["unnamed"] and versions_known(spark, tables.served_entities):
        spark.sql(tables.merge_late_versions()).collect()


def _position(spark: Any, table: str) -> _Position:
    newest = spark.sql(f"DESCRIBE HISTORY {quoted(table)} LIMIT 1").first()
    detail = spark.sql(f"DESCRIBE DETAIL {quoted(table)}").first()
    return _Position(str(detail["id"]), int(newest["version"]))


def _source(spark: Any, tables: Tables, now: _Position) -> Source | None:
    """Return what has to be read; None when nothing is new.

    That is everything on the first run and when the payload table was made anew, what the change feed tells where there is one, and else
    what is neither processed nor in quarantine: ids are compared, and only the texts of days with unknown ids are read.
    """
    known = _properties(spark, tables.processed)
    if known.get(ID_PROPERTY) != now.table_id or int(known[VERSION_PROPERTY]) > now.version:
        return Source(now.version)
    version = int(known[VERSION_PROPERTY])
    if version == now.version:
        return None
    if _properties(spark, tables.payload).get(_FEED) == "true":
        return Source(now.version, after=version)
    return Source(now.version, unknown_only=True)


def _properties(spark: Any, table: str) -> dict[str, str]:
    return dict(spark.sql(f"DESCRIBE DETAIL {quoted(table)}").first()["properties"])


def _count(spark: Any, table: str) -> int:
    return int(spark.table(table).count())
