"""From the rows of a monitored table to the rows of its two metric tables: pure."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from harness.monitoring.columns import Column, Rows, doubles, is_number, is_time, moments, prepare, spark_type
from harness.monitoring.comparison import comparison
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.profile import Summary, summarize
from harness.monitoring.quality import regression_quality
from harness.monitoring.schemas import ALL_MODELS, TABLE, drift_schema, profile_schema
from harness.monitoring.windows import GRANULARITIES, Granularity, Window

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class UnfitTable(Exception):  # noqa: N818 - it says what the table is
    """The monitored table lacks a column, or has it in a type that cannot be monitored."""


@dataclass(frozen=True, slots=True)
class Source:
    """What a refresh reads: the table's rows, under which name and version, and for which configuration."""

    name: str
    rows: pa.Table
    version: int
    config: InferenceLogConfig
    monitor_version: int
    not_before: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The two metric tables, whole."""

    profile: pa.Table
    drift: pa.Table


@dataclass(frozen=True, slots=True)
class _Prepared:
    columns: Sequence[Column]
    moments: npt.NDArray[np.int64]
    timed: Rows
    models: Sequence[tuple[str, npt.NDArray[np.bool_]]]
    prediction: npt.NDArray[np.float64]
    label: npt.NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class _Cell:
    """One window of one model: what both tables have in front of every row."""

    window: Window
    granularity: str
    model: str
    rows: Rows


def compute(source: Source) -> Metrics:
    """Return both metric tables of `source`, every window of it."""
    prepared = _prepare(source)
    profiles: list[dict[str, object]] = []
    drifts: list[dict[str, object]] = []
    for name in source.config.granularities:
        granularity = GRANULARITIES[name]
        for model, chosen in prepared.models:
            before: tuple[_Cell, Sequence[Summary]] | None = None
            for cell in _cells(prepared, granularity, model, chosen, source.not_before):
                summaries = [summarize(column, cell.rows) for column in prepared.columns]
                profiles.extend(_profile_rows(source, prepared, cell, summaries))
                if before and before[0].window.end == cell.window.start:
                    drifts.extend(_drift_rows(source, cell, summaries, before))
                before = (cell, summaries)
    key = source.config.model_id_column
    return Metrics(pa.Table.from_pylist(profiles, profile_schema(key)), pa.Table.from_pylist(drifts, drift_schema(key)))


def _prepare(source: Source) -> _Prepared:
    config, rows = source.config, source.rows
    _check(source, config.timestamp_column, "TIMESTAMP or DATE", is_time)
    _check(source, config.prediction_column, "a number", is_number)
    _check(source, config.model_id_column, "STRING, BOOLEAN or an integer", _is_key)
    if config.label_column is not None:
        _check(source, config.label_column, "a number", is_number)
    times = rows[config.timestamp_column].combine_chunks()
    return _Prepared(
        # Assumption: the model-id column groups and is not profiled itself.
        columns=[prepare(name, rows[name]) for name in rows.column_names if name != config.model_id_column],
        moments=moments(times),
        # Assumption: a row without a timestamp is in no window.
        timed=np.flatnonzero(times.is_valid().to_numpy(zero_copy_only=False)),
        models=_models(rows[config.model_id_column]),
        prediction=doubles(rows[config.prediction_column].combine_chunks()),
        label=None if config.label_column is None else doubles(rows[config.label_column].combine_chunks()),
    )


def _check(source: Source, column: str, expected: str, fits: Callable[[pa.DataType], bool]) -> None:
    if column not in source.rows.column_names:
        message = f"{source.name}: column '{column}' is missing, expected {expected}; the table has {', '.join(source.rows.column_names)}"
        raise UnfitTable(message)
    found = source.rows.schema.field(column).type
    if not fits(found):
        raise UnfitTable(f"{source.name}: column '{column}' is {spark_type(found).upper()}, expected {expected}")


def _is_key(type_: pa.DataType) -> bool:
    return spark_type(type_) in {"string", "boolean"} or bool(pa.types.is_integer(type_))


def _models(ids: pa.ChunkedArray) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    # Assumption: a row without a model id counts only towards "*", all models.
    encoded = ids.combine_chunks().cast(pa.string()).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    named = sorted((name, codes == code) for code, name in enumerate(encoded.dictionary.to_pylist()))
    return [(ALL_MODELS, np.ones(len(codes), dtype=np.bool_)), *named]


def _cells(
    prepared: _Prepared, granularity: Granularity, model: str, chosen: npt.NDArray[np.bool_], not_before: dt.datetime | None
) -> Iterator[_Cell]:
    rows = prepared.timed[chosen[prepared.timed]]
    starts = granularity.starts(prepared.moments[rows])
    order = np.argsort(starts, kind="stable")
    firsts, positions = np.unique(starts[order], return_index=True)
    # Cut at every start: the first part, before all of them, is empty.
    for start, members in zip(firsts, np.split(rows[order], positions)[1:], strict=True):
        window = granularity.window(int(start))
        # A window that the limit cuts is left out whole: docs.databricks.com, data profiling, footnote on the first run.
        if not_before is None or moment(window.start) >= not_before:
            yield _Cell(window, granularity.label, model, members)


def _profile_rows(source: Source, prepared: _Prepared, cell: _Cell, summaries: Sequence[Summary]) -> Iterator[dict[str, object]]:
    head = {
        "window": bounds(cell.window),
        "log_type": "INPUT",
        "logging_table_commit_version": source.version,
        "monitor_version": source.monitor_version,
        "granularity": cell.granularity,
        source.config.model_id_column: cell.model,
    }
    non_null = [summary.column_name for summary in summaries if summary.has_values]
    whole = {"column_name": TABLE, "count": len(cell.rows), "non_null_columns": non_null}
    yield head | whole | _quality_cells(prepared, cell.rows)
    for summary in summaries:
        yield head | {"column_name": summary.column_name, "data_type": summary.data_type} | dict(summary.cells)


def _quality_cells(prepared: _Prepared, rows: Rows) -> dict[str, object]:
    if prepared.label is None:
        return {}
    quality = regression_quality(prepared.label[rows], prepared.prediction[rows])
    return asdict(quality) | {"mean_absolute_error": quality.mean_average_error} if quality else {}


def _drift_rows(
    source: Source, cell: _Cell, summaries: Sequence[Summary], before: tuple[_Cell, Sequence[Summary]]
) -> Iterator[dict[str, object]]:
    base_cell, base = before
    head = {
        "window": bounds(cell.window),
        "granularity": cell.granularity,
        "monitor_version": source.monitor_version,
        source.config.model_id_column: cell.model,
        "window_cmp": bounds(base_cell.window),
        "drift_type": "CONSECUTIVE",
    }
    yield head | {
        "column_name": TABLE,
        "count_delta": len(cell.rows) - len(base_cell.rows),
        "non_null_columns_delta": {
            "added": sum(now.has_values and not then.has_values for now, then in zip(summaries, base, strict=True)),
            "missing": sum(then.has_values and not now.has_values for now, then in zip(summaries, base, strict=True)),
        },
    }
    for now, then in zip(summaries, base, strict=True):
        yield head | comparison(now, then)


def bounds(window: Window) -> dict[str, dt.datetime]:
    """Return the struct that the metric tables hold for `window`."""
    return {"start": moment(window.start), "end": moment(window.end)}


def moment(micros: int) -> dt.datetime:
    """Return the UTC time `micros` after 1970."""
    return EPOCH + dt.timedelta(microseconds=micros)
