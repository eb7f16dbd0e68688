from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from monitoring_unpacker.arrow import output_ddl, send_by_value, unpacker
from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.tables import ID_PROPERTY, SERVED_ENTITIES, VERSION_PROPERTY, Tables, quoted

_READABLE_FEED = "delta.enableChangeDataFeed"
# What Spark answers about a system table where there is no such catalog (open-source Spark: the second) or schema, or no right to it.
_NOT_THERE = frozenset(
    ("CATALOG_NOT_FOUND", "REQUIRES_SINGLE_PART_NAMESPACE", "SCHEMA_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "INSUFFICIENT_PERMISSIONS")
)


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


def process(spark: Any, tables: Tables, *, progress: Callable[[str], None]) -> Counts:
    """Unpack what was logged since the last run, attach labels, and return the counts; a second run changes nothing.

    How far the payload table is processed is a property of the processed table, written after both MERGEs: a run that
    dies earlier is repeated, and MERGE by id makes the repetition harmless. A payload table that is not there yet is
    no error: nothing has been logged.
    """
    if not spark.catalog.tableExists(tables.payload):
        progress(f"{tables.payload}: no data yet, the platform creates it with the first logged request")
        return Counts()
    _check_labels(spark, tables)
    _prepare(spark, tables)
    new = _process_new(spark, tables, progress)
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
    repeated = int(spark.sql(tables.repeated_keys()).first()["n"])
    if repeated:
        raise MonitoringError(
            f"table {tables.labels}: {repeated} values of {tables.schema.key.name} stand in more than one row; "
            "each prediction would be counted more than once, make the key unique"
        )


def _prepare(spark: Any, tables: Tables) -> None:
    for create in tables.create():
        spark.sql(create).collect()
    existing = {field.name: field.dataType.simpleString() for field in spark.table(tables.processed).schema.fields}
    if statement := tables.add_columns(existing):
        spark.sql(statement).collect()


def _process_new(spark: Any, tables: Tables, progress: Callable[[str], None]) -> tuple[int, int, int]:
    """Process what was logged since the last run; return how many requests, rows and quarantined requests there were."""
    now = _position(spark, tables.payload)
    after = _processed_until(spark, tables, now)
    if after == now.version:
        progress(f"{tables.payload}: nothing new since version {after}")
        return 0, 0, 0
    progress(f"{tables.payload}: unpack {'everything' if after is None else f'what came after version {after}'}, up to {now.version}")
    logged = spark.sql(tables.logged(after=after, until=now.version)).dropDuplicates(["databricks_request_id"])
    send_by_value()
    unpacked = logged.mapInArrow(unpacker(tables.schema), output_ddl(tables.schema))
    unpacked.write.format("delta").mode("overwrite").option("overwriteSchema", "true").saveAsTable(tables.staging)
    staged = spark.sql(tables.staged_counts()).first()
    requests, rows, quarantined = int(staged["requests"]), int(staged["n"]), int(staged["quarantined"])
    expected = logged.count()
    if not requests == expected == int(staged["unpacked"]) + quarantined:
        raise MonitoringError(
            f"{tables.payload}: {expected} logged requests became {staged['unpacked']} unpacked and {quarantined} quarantined; "
            "nothing was written, please report this"
        )
    progress(f"{tables.payload}: {requests} requests, {rows} rows unpacked, {quarantined} requests quarantined")
    spark.sql(tables.merge_processed(versions=_versions_known(spark))).collect()
    if quarantined:
        spark.sql(tables.merge_quarantine()).collect()
    spark.sql(tables.remember(payload_id=now.table_id, version=now.version)).collect()
    spark.sql(f"DROP TABLE IF EXISTS {quoted(tables.staging)}").collect()
    return requests, rows, quarantined


def _catch_up(spark: Any, tables: Tables) -> None:
    """Fill in what came late: labels, and versions that the system table did not know yet. A MERGE costs more than looking first."""
    waiting = spark.sql(tables.waiting_counts()).first()
    if waiting["unlabelled"]:
        spark.sql(tables.merge_late_labels()).collect()
    if waiting["unnamed"] and _versions_known(spark):
        spark.sql(tables.merge_late_versions()).collect()


def _versions_known(spark: Any) -> bool:
    """Return whether the system table of served entities can be read; without it versions stay unnamed."""
    from pyspark.errors import AnalysisException

    try:
        return bool(spark.catalog.tableExists(SERVED_ENTITIES))
    except AnalysisException as error:
        if (error.getCondition() or "").split(".")[0] not in _NOT_THERE:
            raise
        return False


def _position(spark: Any, table: str) -> _Position:
    newest = spark.sql(f"DESCRIBE HISTORY {quoted(table)} LIMIT 1").first()
    detail = spark.sql(f"DESCRIBE DETAIL {quoted(table)}").first()
    return _Position(str(detail["id"]), int(newest["version"]))


def _processed_until(spark: Any, tables: Tables, now: _Position) -> int | None:
    """Return the payload table's version that is processed; None when all of it must be read.

    That is so on the first run, when the table was made anew, and when it keeps no change feed to read from.
    """
    known = _properties(spark, tables.processed)
    feed = _properties(spark, tables.payload).get(_READABLE_FEED) == "true"
    if known.get(ID_PROPERTY) != now.table_id or int(known[VERSION_PROPERTY]) > now.version:
        return None
    version = int(known[VERSION_PROPERTY])
    return version if feed or version == now.version else None


def _properties(spark: Any, table: str) -> dict[str, str]:
    return dict(spark.sql(f"DESCRIBE DETAIL {quoted(table)}").first()["properties"])


def _count(spark: Any, table: str) -> int:
    return int(spark.table(table).count())
