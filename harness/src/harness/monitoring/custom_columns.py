"""The columns that custom metrics add to the two metric tables, computed by Spark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from harness.errors import UserError
from harness.monitoring.custom_groups import Found, Key, groups_of, keys_of
from harness.monitoring.custom_metrics import Figure, figures, of_type, refused
from harness.monitoring.fitness import UnfitTable
from harness.monitoring.kind import kind_of
from harness.monitoring.metric_rows import Source
from harness.monitoring.model import DataProfilingConfig
from harness.monitoring.ports import Expressions
from harness.monitoring.schemas import TABLE, profile_schema


@dataclass(frozen=True, slots=True)
class CustomColumns:
    """Adds to metric tables what the configuration's custom metrics say."""

    expressions: Expressions
    config: DataProfilingConfig

    @property
    def model_id(self) -> str | None:
        """The column of the metric tables that says which model it is."""
        return kind_of(self.config.inference_log or self.config.time_series).model_id

    @property
    def compares(self) -> bool:
        """Whether there are metrics of drift."""
        return bool(of_type(self.config, "DRIFT"))

    def profile(self, source: Source, rows: pa.Table) -> pa.Table:
        """Return rows of the profile table with the aggregate metrics, and behind them those derived from them."""
        wanted = figures(self.config, "AGGREGATE")
        if wanted:
            columns = set(source.sample.rows.column_names) | {TABLE}
            missing = sorted({figure.column for figure in wanted} - columns)
            if missing:
                raise UnfitTable(f"{source.sample.name}: column '{missing[0]}' is missing, which custom_metrics name as an input")
            rows = self._aggregated(source, wanted, rows)
        return self._evaluated(figures(self.config, "DERIVED"), rows, rows)

    def drift(self, rows: pa.Table, profile: pa.Table) -> pa.Table:
        """Return rows of the drift table with the drift metrics, which compare rows of `profile`."""
        wanted = figures(self.config, "DRIFT")
        if not wanted:
            return rows
        words = frozenset[str]().union(*(figure.words for figure in wanted))
        needed = [name for name in profile.column_names if name.lower() in words] or ["count"]
        held = profile.select(needed).combine_chunks()
        places = {key: place for place, key in enumerate(keys_of(profile, self.model_id, "window"))}
        sides = {
            name: _taken(held, [places.get(key) for key in keys_of(rows, self.model_id, window)])
            for name, window in (("current_df", "window"), ("base_df", "window_cmp"))
        }
        return self._evaluated(wanted, rows, pa.table(sides))

    def check(self, schema: pa.Schema) -> None:
        """Raise the 400 of a metric that Spark cannot compute over a table of this schema: tried on no rows."""
        empty = schema.empty_table()
        profile = profile_schema(kind_of(self.config.inference_log or self.config.time_series)).empty_table()
        aggregates = self._tried("INVALID_PARAMETER_VALUE", figures(self.config, "AGGREGATE"), lambda _: empty)
        profile = _with(profile, aggregates)
        profile = _with(profile, self._tried("INVALID_DERIVED_METRIC", figures(self.config, "DERIVED"), lambda _: profile))
        self._tried("INVALID_DRIFT_METRIC", figures(self.config, "DRIFT"), lambda figure: _sides(profile, figure))

    def _tried(self, code: str, wanted: Sequence[Figure], over: Callable[[Figure], pa.Table]) -> dict[str, pa.ChunkedArray]:
        found = {}
        for figure in wanted:
            try:
                found[figure.name] = self.expressions.evaluate(over(figure), [figure.expression]).column(0).slice(0, 0)
            except UserError as error:
                raise refused(code, f"'{figure.name}': {error}") from error
        return found

    def _aggregated(self, source: Source, wanted: Sequence[Figure], rows: pa.Table) -> pa.Table:
        found = groups_of(self.expressions, source, source.sample, wanted)
        values = dict(found.values)
        if source.baseline is not None:
            known = set(source.baseline.rows.column_names) | {TABLE}
            # Assumption: as with built-in figures, what the baseline lacks is NULL there.
            usable = [figure for figure in wanted if figure.column in known]
            values |= self._baseline(source, usable)
        return _joined(rows, Found(values, found.types), keys_of(rows, self.model_id, "window"))

    def _baseline(self, source: Source, wanted: Sequence[Figure]) -> dict[Key, object]:
        if source.baseline is None or not wanted:
            return {}
        try:
            return groups_of(self.expressions, source, source.baseline, wanted).values
        except UnfitTable:
            if len(wanted) == 1:
                return {}
        return {key: value for figure in wanted for key, value in self._baseline(source, [figure]).items()}

    def _evaluated(self, wanted: Sequence[Figure], rows: pa.Table, over: pa.Table) -> pa.Table:
        """Return `rows` with the figures of `over`, which lies beside them, in the rows that are of their columns."""
        if not wanted:
            return rows
        words = frozenset[str]().union(*(figure.words for figure in wanted))
        over = over.select([name for name in over.column_names if name.lower() in words])
        cases: dict[str, list[str]] = {}
        for number, figure in enumerate(wanted):
            over = over.append_column(f"__for_{number}", pc.equal(rows["column_name"], figure.column))
            cases.setdefault(figure.name, []).append(f"WHEN `__for_{number}` THEN {figure.expression}")
        try:
            found = self.expressions.evaluate(over, [f"CASE {' '.join(case)} END" for case in cases.values()])
        except UserError as error:
            raise UnfitTable(f"custom_metrics {', '.join(cases)} cannot be computed: {error}") from error
        return _with(rows, dict(zip(cases, found.columns, strict=True)))


def _with(table: pa.Table, columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def _sides(profile: pa.Table, figure: Figure) -> pa.Table:
    names = [name for name in profile.column_names if name.lower() in figure.words]
    side = _taken(profile.select(names), [])
    return pa.table({"current_df": side, "base_df": side})


def _taken(table: pa.Table, places: Sequence[int | None]) -> pa.StructArray:
    """Return rows of a table as structs, of NULLs where there is no place."""
    taken = table.take(pa.array(places, pa.int64()))
    arrays = [pa.concat_arrays([*column.chunks, pa.nulls(0, column.type)]) for column in taken.columns]
    return pa.StructArray.from_arrays(arrays, names=table.column_names)


def _joined(rows: pa.Table, found: Found, keys: Sequence[Key]) -> pa.Table:
    for name, type_ in found.types.items():
        rows = rows.append_column(name, pa.array([found.values.get((name, *key)) for key in keys], type_))
    return rows
