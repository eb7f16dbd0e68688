"""The metric tables read for a verdict, and the table that remembers verdicts, on Spark."""

# ruff: noqa: S608 - table and column names cannot be parameters; every part is quoted by `quoted`, `quoted_part` and `literal`
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.tables import literal, quoted, quoted_part
from monitoring_unpacker.verdict import Drift, Finding, Quality, Verdict

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
}
_KEY = ("model_version", "granularity", "window_start", "check", "column_name")
RETRAIN = "retrain"
_VIEW = "monitoring_unpacker_findings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One model version's rows of a monitor's metric tables, of one granularity and no slice.

    `columns` are those whose drift counts: a calendar's parts differ from window to window in any case.
    """

    profile: str
    drift: str
    model_id_column: str
    version: str
    granularity: str
    label: str
    columns: Sequence[str]

    def read(self, spark: Any) -> tuple[list[Quality], list[Drift]]:
        """Return the quality of each window and of the baseline, and the drift of each window's columns."""
        profile = [row.asDict(recursive=True) for row in spark.sql(self._profile(spark)).collect()]
        counts = {(_start(row), row["column_name"]): row for row in profile}
        whole = [row for row in profile if row["column_name"] == ":table"]
        labelled = [(row, counts.get((_start(row), self.label))) for row in whole]
        quality = [_quality(row, int(label["count"])) for row, label in labelled if label]
        drift = [row.asDict(recursive=True) for row in spark.sql(self._drift()).collect()]
        against_baseline = any(row["drift_type"] == "BASELINE" for row in drift)
        chosen = [row for row in drift if (row["drift_type"] == "BASELINE") == against_baseline]
        return quality, [_drift(row, counts) for row in chosen]

    def _profile(self, spark: Any) -> str:
        names = {field.name for field in spark.table(quoted(self.profile)).schema.fields}
        quality = [name for name in ("mean_average_error", "mean_squared_error", "accuracy_score") if name in names]
        columns = ", ".join(("window", "column_name", "count", "percent_null", "distinct_count", *quality))
        wanted = ", ".join(literal(name) for name in (":table", self.label, *self.columns))
        return (
            f"SELECT {columns} FROM {quoted(self.profile)} WHERE {self._mine()} AND column_name IN ({wanted}) "
            f"AND (log_type = 'BASELINE' OR granularity = {literal(self.granularity)})"
        )

    def _drift(self) -> str:
        columns = "window, window_cmp, drift_type, column_name, count_delta, percent_null_delta, ks_test.statistic AS ks, tv_distance AS tv"
        wanted = ", ".join(literal(name) for name in self.columns)
        return (
            f"SELECT {columns} FROM {quoted(self.drift)} WHERE {self._mine()} AND column_name IN ({wanted or 'NULL'}) "
            f"AND granularity = {literal(self.granularity)}"
        )

    def _mine(self) -> str:
        return f"slice_key IS NULL AND {quoted_part(self.model_id_column)} = {literal(self.version)}"


def _start(row: Mapping[str, Any]) -> datetime | None:
    return row["window"]["start"] if row["window"] else None


def _quality(row: Mapping[str, Any], labelled: int) -> Quality:
    return Quality(_start(row), labelled, row.get("mean_average_error"), row.get("mean_squared_error"), row.get("accuracy_score"))


def _drift(row: Mapping[str, Any], counts: Mapping[tuple[datetime | None, str], Mapping[str, Any]]) -> Drift:
    start, column = row["window"]["start"], row["column_name"]
    profile, total = counts[start, column], counts[start, ":table"]
    categorical = row["ks"] is None and row["tv"] is not None
    before = counts.get((row["window_cmp"]["start"] if row["window_cmp"] else None, column), {})
    return Drift(
        start=start,
        column=column,
        total=int(total["count"]),
        rows=int(profile["count"]),
        reference_rows=int(profile["count"]) - int(row["count_delta"]),
        distance=row["tv"] if categorical else row["ks"],
        categories=max(int(profile["distinct_count"]), int(before.get("distinct_count") or 0)) if categorical else None,
        nulls=(profile["percent_null"] or 0.0) / 100,
        null_rise=(row["percent_null_delta"] or 0.0) / 100,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTable:
    """Every finding, once for each window and check, and the windows for which a training was asked."""

    name: str
    version: str
    granularity: str

    def create(self, spark: Any) -> None:
        """Make the table when there is none."""
        columns = ", ".join(f"{quoted_part(name)} {kind}" for name, kind in (*_COLUMNS.items(), ("judged_at", "TIMESTAMP")))
        feed = "USING DELTA TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')"
        spark.sql(f"CREATE TABLE IF NOT EXISTS {quoted(self.name)} ({columns}) {feed}").collect()

    def requests(self, spark: Any) -> dict[str, datetime]:
        """Return the newest window for which a training was asked, by model version."""
        asked = f"SELECT model_version, MAX(window_start) AS newest FROM {quoted(self.name)} WHERE `check` = {literal(RETRAIN)}"
        return {row["model_version"]: row["newest"] for row in spark.sql(f"{asked} GROUP BY model_version").collect()}

    def remember(self, spark: Any, verdict: Verdict, *, retrain: bool) -> None:
        """Write the findings, and that a training is asked for; what the table already has in the same words is not written again."""
        rows = [self._row(finding) for finding in verdict.findings]
        if retrain:
            newest = max(verdict.persistent, key=lambda finding: finding.start)
            rows.append({**self._row(newest), "check": RETRAIN, "column_name": "", "reason": verdict.reason})
        if not rows:
            return
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
        start = finding.start if finding.start.tzinfo else finding.start.astimezone(timezone.utc)  # noqa: UP017 - any Python
        values = (start, finding.check, finding.column, finding.value, finding.reference, finding.limit, finding.rows)
        return dict(zip(_COLUMNS, (self.version, self.granularity, *values, finding.alert, finding.reason), strict=True))


def metric_tables(processed: str, output_schema: str) -> tuple[str, str]:
    """Return the names of the profile and the drift table that a monitor of `processed` writes."""
    bare = processed.rpartition(".")[2]
    if not bare:
        raise MonitoringError(f"processed table {processed!r}: expected catalog.schema.table")
    return f"{output_schema}.{bare}_profile_metrics", f"{output_schema}.{bare}_drift_metrics"
