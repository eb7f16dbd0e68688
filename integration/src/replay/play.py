"""The play: a model learns from the first months, then month by month is asked, logged, monitored and judged."""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
from deltalake import write_deltalake

from harness.clock import MovingClock
from harness.errors import UserError
from harness.monitoring.alerts import Alert, AlertThresholds, find_alerts
from replay.judging import Judged, from_table
from replay.months import Month, Play, trips_of
from replay.stage import Stage
from replay.story import AlertReport, MonthReport, Story
from serving_client import score
from taxi_fare_features import FEATURE_COLUMNS, KEY, TIME, feature_frame

_REQUEST_ROWS = 500
_DRIFT_SHOWN = 3
_SECONDS_TO_LOG, _POLL = 120.0, 0.2
# The rows that quality is computed of: those of the test split, a fifth of all, whose values tell nothing that `label` does not.
_JUDGED_LABEL = "evaluation_label"
# The one input that is another in every window of a month.
_CLOCK = "pickup_month"


def clock_of(play: Play) -> MovingClock:
    """Return the clock, at the moment the model is trained."""
    return MovingClock(play.learned[-1].end)


def perform(play: Play, stage: Stage, clock: MovingClock, told: Callable[[MonthReport], None]) -> Story:
    """Play all months; `told` hears of each as it is over."""
    begun = time.monotonic()
    stage.train(trips_of(play.learned))
    reports = []
    for month in play.played:
        reports.append(_month(month, stage, clock))
        told(reports[-1])
    labels = [month.label for month in play.learned]
    return Story(play.source, labels, reports, round(time.monotonic() - begun, 1))


def _month(month: Month, stage: Stage, clock: MovingClock) -> MonthReport:
    begun = time.monotonic()
    logged = _logged(stage)
    rows = _live(month, stage, clock)
    _until_logged(stage, logged + _requests(rows))
    stage.monitor()
    judged = from_table(_rows(stage, stage.names.verdicts), month.begin)
    return _report(month, rows, stage, judged, seconds=round(time.monotonic() - begun, 1))


def _live(month: Month, stage: Stage, clock: MovingClock) -> int:
    """Let a month pass, and return how many of its trips the model was asked about: the truth is known when it is over."""
    rows = feature_frame(month.trips.to_pandas()).sort_values(TIME)
    _ask(rows, stage, clock)
    write_deltalake(stage.folder(stage.names.full("feature_table")), pa.Table.from_pandas(rows, preserve_index=False), mode="append")
    clock.set(month.end)
    return len(rows)


def _ask(rows: pd.DataFrame, stage: Stage, clock: MovingClock) -> None:
    """Ask the served model for every trip, in the order of their days."""
    for start in range(0, len(rows), _REQUEST_ROWS):
        chunk = rows.iloc[start : start + _REQUEST_ROWS]
        clock.set(chunk[TIME].iloc[-1].to_pydatetime())
        records = [{str(name): value for name, value in row.items()} for row in chunk[[KEY, *FEATURE_COLUMNS]].to_dict("records")]
        score(stage.workspace, stage.names.endpoint, records=records)


def _requests(rows: int) -> int:
    return -(-rows // _REQUEST_ROWS)


def _logged(stage: Stage) -> int:
    found = stage.warehouse.read(stage.names.payload, ["databricks_request_id"])
    return 0 if found is None else int(found.num_rows)


def _until_logged(stage: Stage, requests: int) -> None:
    until = time.monotonic() + _SECONDS_TO_LOG
    while (found := _logged(stage)) < requests:
        if time.monotonic() > until:
            raise UserError(
                f"{stage.names.payload}: {found} requests after {_SECONDS_TO_LOG:.0f} s; expected {requests}, all were answered"
            )
        time.sleep(_POLL)


def _report(month: Month, rows: int, stage: Stage, judged: Judged, *, seconds: float) -> MonthReport:
    profile, drift = (_rows(stage, f"{stage.names.processed}_{kind}_metrics") for kind in ("profile", "drift"))
    limits = AlertThresholds(ignore=frozenset({_JUDGED_LABEL, _CLOCK}))
    found = find_alerts(profile, drift, now=month.end, model_id_column="model_version", label_column=_JUDGED_LABEL, thresholds=limits)
    alerts = [alert for alert in found if alert.window_start == month.begin and alert.model_id == "*"]
    labels = [row for row in profile if row["column_name"] == "label" and row["model_version"] == "*" and _is_of(row, month.begin)]
    return MonthReport(
        month=month.label,
        note=month.note,
        rows=rows,
        labelled=int(str(labels[0]["count"])) if labels else 0,
        judged=judged.rows,
        error=judged.error,
        usual=judged.usual,
        limit=judged.limit,
        drift=_most_drifted(drift, month.begin),
        alerts=[_alert(alert) for alert in alerts],
        verdict=judged.verdict,
        reason=judged.reason,
        retrain=judged.retrain,
        seconds=seconds,
    )


def _rows(stage: Stage, table: str) -> list[dict[str, object]]:
    found = stage.warehouse.read(table)
    rows: list[dict[str, object]] = [] if found is None else found.to_pylist()
    return rows


def _is_of(row: dict[str, object], start: dt.datetime) -> bool:
    window = row["window"]
    return isinstance(window, dict) and window["start"] == start


def _most_drifted(drift: Sequence[dict[str, object]], start: dt.datetime) -> list[tuple[str, float]]:
    """Return the model's inputs, answer and truth that lie furthest from the baseline; the month itself always does."""
    shown = {*FEATURE_COLUMNS, "prediction", "label"} - {_CLOCK}
    found = [
        (str(row["column_name"]), float(str(row["population_stability_index"])))
        for row in drift
        if _is_of(row, start)
        and (row["drift_type"], row["model_version"]) == ("BASELINE", "*")
        and row["column_name"] in shown
        and row["population_stability_index"] is not None
    ]
    return sorted(found, key=lambda each: -each[1])[:_DRIFT_SHOWN]


def _alert(alert: Alert) -> AlertReport:
    # It stands below its month, and is of all models.
    reason = alert.reason.partition(", all models: ")[2] or alert.reason
    return AlertReport(alert.column_name, alert.measure, alert.value, alert.severity, reason)


def write_page(html: str, path: Path) -> str:
    """Write the page and return where it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding="utf-8")
    return str(path.resolve())
