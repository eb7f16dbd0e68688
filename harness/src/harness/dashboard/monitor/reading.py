"""The metric tables on disk, read by delta-rs: small figures of every row at once, wide ones only where they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from harness.dashboard.monitor.facts import TABLE, Facts, Group

_NO_TIME = -(2**63)
_TEXT = {"granularity": "granularity", "slice_key": "slice_key", "slice_value": "slice_value", "column": "column_name"}
_PROFILE = (
    "count", "num_nulls", "percent_null", "percent_zeros", "num_nan", "avg", "min", "max", "median", "stddev", "distinct_count",
    "mean_squared_error", "root_mean_squared_error", "mean_average_error", "mean_absolute_percentage_error", "r2_score",
    "accuracy_score", "log_loss",
)  # fmt: skip
_SCORES = ("precision", "recall", "f1_score")
_DRIFT = ("population_stability_index", "wasserstein_distance", "js_distance", "tv_distance", "l_infinity_distance")
_TESTS = ("ks_test", "chi_squared_test")


def read_facts(profile: Path, drift: Path, *, model_id: str | None) -> Facts:
    """Return what the dashboard needs of every row; tables that are not there have no rows."""
    return Facts(_profile(profile, model_id), _drift(drift, model_id))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which wide cells to read: of these groups, in windows that start at these moments, and of the baseline; `columns` None: of all."""

    groups: Sequence[Group]
    starts: Sequence[int]
    columns: Sequence[str] | None = None


def read_details(profile: Path, wanted: Wanted, *, model_id: str | None) -> pa.Table:
    """Return quantiles, frequent items and confusion matrices of what is wanted."""
    if not _is_there(profile) or not wanted.groups:
        return _empty(_profile_columns([], model_id), {"quantiles": pa.list_(pa.float64())})
    dataset = DeltaTable(profile).to_pyarrow_dataset()
    names = dataset.schema.names
    columns = _profile_columns(names, model_id)
    wide = {name: pc.field(name) for name in ("count", "quantiles", "frequent_items", "confusion_matrix") if name in names}
    only = of_groups(wanted.groups, model_id)
    times = pc.field("window", "start").cast(pa.int64()).isin(pa.array(wanted.starts, pa.int64())) | (pc.field("log_type") == "BASELINE")
    if wanted.columns is not None:
        only &= pc.field("column_name").isin([*wanted.columns, TABLE])
    return dataset.to_table(columns=columns | wide, filter=only & times)


def of_groups(groups: Sequence[Group], model_id: str | None) -> pc.Expression:
    """Return which rows of a metric table are of these groups; of several, by each field for itself, which lets in a few others."""
    found = pc.scalar(True)
    for name, values in {
        "slice_key": {one.slice_key for one in groups},
        "slice_value": {one.slice_value for one in groups},
        **({model_id: {one.model for one in groups}} if model_id else {}),
    }.items():
        found &= pc.field(name).isin(pa.array(sorted(value for value in values if value is not None), pa.string())) | (
            pc.field(name).is_null() if None in values else pc.scalar(False)
        )
    widths = {one.granularity for one in groups}
    if None not in widths:
        found &= pc.field("granularity").isin(pa.array(sorted(w for w in widths if w), pa.string())) | pc.field("granularity").is_null()
    return found


def _profile(path: Path, model_id: str | None) -> pa.Table:
    if not _is_there(path):
        return _empty(_profile_columns([], model_id), {})
    dataset = DeltaTable(path).to_pyarrow_dataset()
    return _settled(dataset.to_table(columns=_profile_columns(dataset.schema.names, model_id) | _figures(dataset.schema)))


def _drift(path: Path, model_id: str | None) -> pa.Table:
    if not _is_there(path):
        return _empty(_drift_columns([], model_id), {})
    dataset = DeltaTable(path).to_pyarrow_dataset()
    figures = {name: pc.field(name) for name in _DRIFT}
    for name in _TESTS:
        figures |= {name: pc.field(name, "statistic"), f"{name}_pvalue": pc.field(name, "pvalue")}
    return _settled(dataset.to_table(columns=_drift_columns(dataset.schema.names, model_id) | figures))


def _figures(schema: pa.Schema) -> dict[str, pc.Expression]:
    figures = {name: pc.field(name) for name in _PROFILE if name in schema.names}
    scores = {f"{name}_{mean}": pc.field(name, mean) for name in _SCORES if name in schema.names for mean in ("weighted", "macro")}
    return figures | scores


def _profile_columns(names: Sequence[str], model_id: str | None) -> dict[str, pc.Expression]:
    return _keys(names, model_id) | {"log": pc.field("log_type"), "data_type": pc.field("data_type")}


def _drift_columns(names: Sequence[str], model_id: str | None) -> dict[str, pc.Expression]:
    return _keys(names, model_id) | {"drift_type": pc.field("drift_type")}


def _keys(names: Sequence[str], model_id: str | None) -> dict[str, pc.Expression]:
    texts = {name: pc.field(column) for name, column in _TEXT.items()}
    times = {name: pc.field("window", name).cast(pa.int64()) for name in ("start", "end")}
    model = pc.field(model_id) if model_id in names else pc.scalar(pa.scalar(None, pa.string()))
    return {**times, **texts, "model": model}


def _settled(table: pa.Table) -> pa.Table:
    """Return `table` without NULL times: the baseline's are before all others."""
    for name in ("start", "end"):
        at = table.column_names.index(name)
        table = table.set_column(at, name, pc.fill_null(table[name], _NO_TIME))
    return table.combine_chunks()


def _empty(columns: Mapping[str, object], more: Mapping[str, pa.DataType]) -> pa.Table:
    types = {name: pa.int64() if name in {"start", "end"} else pa.string() for name in columns}
    return pa.schema([*types.items(), ("count", pa.int64()), *more.items()]).empty_table()


def _is_there(path: Path) -> bool:
    return bool(DeltaTable.is_deltatable(str(path)))
