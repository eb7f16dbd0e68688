"""The metric tables read for a verdict, and the table that remembers verdicts, on Spark."""

# ruff: noqa: S608 - table and column names cannot be parameters; every part is quoted by `quoted`, `quoted_part` and `literal`
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.tables import literal, quoted, quoted_part
from monitoring_unpacker.verdict import Drift, Finding, Quality, Requests, Verdict

_COLUMNS = {
    "model_version": "STRING",
    "granularity": "STRING",
    "window_start": "TIMESTAMP",
    "check": "STRING",
    "column_name": "STRING",
    "value": "DOUBLE",
    "reference": "DOUBLE",
    "limit": "DOUBLE",
    "rows": "BIGINT",
    "alert": "BOOLEAN",
    "reason": "STRING",
    "run_id": "STRING",
}
_KEY = ("model_version", "granularity", "window_start", "check", "column_name")
RETRAIN, OUTCOME = "retrain", "verdict"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - any Python
_DAYS = 30
_VIEW = "monitoring_unpacker_findings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One model version's rows of a monitor's metric tables, of one granularity and no slice.

    `columns` are those whose drift counts: a calendar's parts differ from window to window in any case. `label` is the monitor's
    label column, `truth` the one that says which rows have a label at all.
    """

    profile: str
    drift: str
    model_id_column: str
    version: str
    granularity: str
    label: str
    columns: Sequence[str]
    truth: str = "label"

    def read(self, spark: Any) -> tuple[list[Quality], list[Drift]]:
        """Return the quality of each window and of the baseline, and the drift of each window's columns."""
        profile = [row.asDict() for row in spark.sql(self._profile(spark)).collect()]
        counts = {(_moment(row["start"]), row["column_name"]): row for row in profile}
        quality = [
            self._quality(row, start, counts)
            for (start, column), row in counts.items()
            if column == ":table" and (start, self.label) in counts
        ]
        # The platform makes the drift table only when there is something to compare with: a baseline, or a window before.
        known = spark.catalog.tableExists(self.drift)
        drift = [row.asDict() for row in spark.sql(self._drift()).collect()] if known else []
        against_baseline = any(row["drift_type"] == "BASELINE" for row in drift)
        chosen = [row for row in drift if (row["drift_type"] == "BASELINE") == against_baseline]
        return quality, [_drift(row, counts) for row in chosen]

    def _quality(self, row: Mapping[str, Any], start: datetime | None, counts: "_Counts") -> Quality:
        return Quality(
            start,
            _values(row, counts[start, self.label]),
            row.get("mean_average_error"),
            row.get("mean_squared_error"),
            row.get("accuracy_score"),
            total=int(row["count"]),
            labelled=_values(row, counts[start, self.truth]) if (start, self.truth) in counts else 0,
        )

    def _profile(self, spark: Any) -> str:
        names = {field.name for field in spark.table(quoted(self.profile)).schema.fields}
        quality = [name for name in ("mean_average_error", "mean_squared_error", "accuracy_score") if name in names]
        columns = ", ".join(
            ("unix_micros(window.start) AS start", "column_name", "count", "num_nulls", "percent_null", "distinct_count", *quality)
        )
        wanted = ", ".join(literal(name) for name in {":table": 0, self.label: 0, self.truth: 0, **dict.fromkeys(self.columns)})
        return (
            f"SELECT {columns} FROM {quoted(self.profile)} WHERE {self._mine()} AND column_name IN ({wanted}) "
            f"AND (log_type = 'BASELINE' OR granularity = {literal(self.granularity)})"
        )

    def _drift(self) -> str:
        starts = "unix_micros(window.start) AS start, unix_micros(window_cmp.start) AS start_cmp"
        columns = f"{starts}, drift_type, column_name, count_delta, percent_null_delta, ks_test.statistic AS ks, tv_distance AS tv"
        wanted = ", ".join(literal(name) for name in self.columns)
        return (
            f"SELECT {columns} FROM {quoted(self.drift)} WHERE {self._mine()} AND column_name IN ({wanted or 'NULL'}) "
            f"AND granularity = {literal(self.granularity)}"
        )

    def _mine(self) -> str:
        return f"slice_key IS NULL AND {quoted_part(self.model_id_column)} = {literal(self.version)}"


_Counts = Mapping[tuple[datetime | None, str], Mapping[str, Any]]


def _moment(micros: int | None) -> datetime | None:
    """Return the moment in UTC: a client hands over timestamps as its own wall clock shows them, which has some hours twice."""
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def _values(table: Mapping[str, Any], column: Mapping[str, Any]) -> int:
    """Return how many rows have a value: whether a column's own `count` is of all rows or of those is not documented."""
    return int(table["count"]) - int(column["num_nulls"])


def _drift(row: Mapping[str, Any], counts: _Counts) -> Drift:
    start, column = _EPOCH + timedelta(microseconds=row["start"]), row["column_name"]
    profile, total = counts[start, column], counts[start, ":table"]
    categorical = row["ks"] is None and row["tv"] is not None
    before = counts.get((_moment(row["start_cmp"]), column), {})
    return Drift(
        start=start,
        column=column,
        total=int(total["count"]),
        rows=_values(total, profile),
        reference_rows=int(profile["count"]) - int(row["count_delta"]),
        distance=row["tv"] if categorical else row["ks"],
        categories=max(int(profile["distinct_count"]), int(before.get("distinct_count") or 0)) if categorical else None,
        nulls=(profile["percent_null"] or 0.0) / 100,
        null_rise=(row["percent_null_delta"] or 0.0) / 100,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTables:
    """Where an endpoint's requests end: unpacked, or in quarantine."""

    processed: str
    quarantine: str

    def read(self, spark: Any) -> list[Requests]:
        """Return the requests of each of the last days (UTC); none when none is in quarantine: all the others need no counting then."""
        if not all(spark.catalog.tableExists(table) for table in (self.processed, self.quarantine)):
            return []
        bad = self._by_day(spark, self.quarantine)
        good = self._by_day(spark, self.processed) if bad else {}
        days = sorted({*bad, *good})
        return [Requests(_EPOCH + timedelta(days=day), good.get(day, 0) + bad.get(day, 0), bad.get(day, 0)) for day in days]

    @staticmethod
    def _by_day(spark: Any, table: str) -> dict[int, int]:
        columns = "unix_micros(request_time) DIV 86400000000 AS day, COUNT(DISTINCT databricks_request_id) AS n"
        last = f"request_time >= current_timestamp() - INTERVAL {_DAYS} DAYS"
        return {row["day"]: row["n"] for row in spark.sql(f"SELECT {columns} FROM {quoted(table)} WHERE {last} GROUP BY 1").collect()}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """Every finding, once for each window and check, the verdict on the newest, and the windows for which a training was asked.

    `run_id` is the job's run: a task that is tried again in it gives the same answer.
    """

    name: str
    version: str
    granularity: str
    run_id: str | None = None

    def create(self, spark: Any) -> None:
        """Make the table when there is none."""
        if spark.catalog.tableExists(self.name):
            return
        columns = ", ".join(f"{quoted_part(name)} {kind}" for name, kind in (*_COLUMNS.items(), ("judged_at", "TIMESTAMP")))
        feed = "USING DELTA TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        spark.sql(f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({columns}) {feed}").collect()

    def requests(self, spark: Any) -> dict[str, datetime]:
        """Return the newest window for which a training was asked by another run, by model version."""
        asked = (
            f"SELECT model_version, unix_micros(MAX(window_start)) AS newest FROM {quoted(self.name)} WHERE `check` = {literal(RETRAIN)}"
        )
        others = "" if self.run_id is None else f" AND NOT run_id <=> {literal(self.run_id)}"
        rows = spark.sql(f"{asked}{others} GROUP BY model_version").collect()
        return {row["model_version"]: _EPOCH + timedelta(microseconds=row["newest"]) for row in rows}

    def remember(self, spark: Any, verdict: Verdict, *, retrain: bool) -> None:
        """Write the findings and what they come to; what the table already has in the same words is not written again."""
        if not verdict.findings:
            return
        rows = [self._row(finding) for finding in verdict.findings]
        summary = {"column_name": "", "reason": verdict.reason}
        rows.append({**rows[-1], **summary, "check": OUTCOME, "alert": verdict.outcome == "alert"})
        if retrain:
            newest = max(verdict.persistent, key=lambda finding: finding.start)
            rows.append({**self._row(newest), **summary, "check": RETRAIN, "run_id": self.run_id})
        schema = ", ".join(f"{quoted_part(name)} {kind}" for name, kind in _COLUMNS.items())
        spark.createDataFrame([tuple(row[name] for name in _COLUMNS) for row in rows], schema).createOrReplaceTempView(_VIEW)
        spark.sql(self._merge()).collect()

    def _merge(self) -> str:
        same = " AND ".join(f"known.{quoted_part(name)} = found.{quoted_part(name)}" for name in _KEY)
        others = [quoted_part(name) for name in _COLUMNS if name not in _KEY]
        changed = " OR ".join(f"NOT known.{name} <=> found.{name}" for name in others)
        updates = ", ".join(f"{name} = found.{name}" for name in others)
        names = ", ".join(quoted_part(name) for name in _COLUMNS)
        values = ", ".join(f"found.{quoted_part(name)}" for name in _COLUMNS)
        return (
            f"MERGE INTO {quoted(self.name)} AS known USING {_VIEW} AS found ON {same} "
            f"WHEN MATCHED AND ({changed}) THEN UPDATE SET {updates}, judged_at = current_timestamp() "
            f"WHEN NOT MATCHED THEN INSERT ({names}, judged_at) VALUES ({values}, current_timestamp())"
        )

    def _row(self, finding: Finding) -> dict[str, object]:
        values = (finding.start, finding.check, finding.column, finding.value, finding.reference, finding.limit, finding.rows)
        return dict(zip(_COLUMNS, (self.version, self.granularity, *values, finding.alert, finding.reason, None), strict=True))


def metric_tables(processed: str, output_schema: str) -> tuple[str, str]:
    """Return the names of the profile and the drift table that a monitor of `processed` writes."""
    bare = processed.rpartition(".")[2]
    if not bare:
        raise MonitoringError(f"processed table {processed!r}: expected catalog.schema.table")
    return f"{output_schema}.{bare}_profile_metrics", f"{output_schema}.{bare}_drift_metrics"
