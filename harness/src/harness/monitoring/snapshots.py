"""A snapshot's metric tables are a history: each refresh adds its instant, and is compared with the one before."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Earlier:
    """The instant of a refresh, in microseconds since 1970, and the version of the table that it saw."""

    instant: int
    version: int


def latest(profile: pa.Table | None) -> Earlier | None:
    """Return the newest instant in the profile table that earlier refreshes left, if there is any."""
    history = None if profile is None else instants(profile)
    if history is None or not history.num_rows:
        return None
    starts = pc.struct_field(history["window"], "start").cast(pa.int64())
    newest = pc.max(starts)
    rows = history.filter(pc.equal(starts, newest))
    return Earlier(newest.as_py(), pc.max(rows["logging_table_commit_version"]).as_py())


def appended(history: pa.Table | None, rows: pa.Table) -> pa.Table:
    """Return `rows` and behind them those of earlier instants; what they no longer have a column for stays in theirs."""
    if history is None:
        return rows
    kept = instants(history)
    columns = {name: _fitted(kept, name, rows.schema) for name in kept.column_names}
    earlier = pa.table({name: column for name, column in columns.items() if column is not None})
    return pa.concat_tables([rows, earlier], promote_options="default")


def instants(table: pa.Table) -> pa.Table:
    """Return the rows of windows that are instants: not the baseline's, nor those of another kind of monitor that wrote here before."""
    ends = [pc.struct_field(table["window"], name) for name in ("start", "end")]
    return table.filter(pc.fill_null(pc.equal(*ends), fill_value=False))


def _fitted(table: pa.Table, name: str, schema: pa.Schema) -> pa.ChunkedArray | None:
    """Return a column of earlier rows in its present type; None where it had another, as a metric that was defined anew may."""
    if name not in schema.names:
        return table[name]
    try:
        return table[name].cast(schema.field(name).type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
