"""The two metric tables of a monitor as they lie on disk, and what of them a refresh must write anew."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import Schema

from harness.monitoring.compute import Metrics
from harness.monitoring.difference import Change, Unit, difference, units_of
from harness.monitoring.progress import At
from harness.monitoring.scope import Scope
from harness.monitoring.snapshots import Earlier, appended, instants, latest
from harness.monitoring.tables import Table, units_where
from harness.monitoring.windows import GRANULARITIES

Spans = dict[str, frozenset[int]]
"""Starts of windows by the label of their granularity."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written of each of the two tables."""

    profile: Change
    drift: Change

    def joined(self, other: "Changes") -> "Changes":
        """Return both as one."""
        return Changes(self.profile.joined(other.profile), self.drift.joined(other.drift))


@dataclass(frozen=True, slots=True)
class MetricTables:
    """The tables as they are; None where there is none yet. `model_id` is the column that says which model a row is of."""

    profile: Table | None
    drift: Table | None
    model_id: str | None

    @property
    def at(self) -> tuple[At | None, At | None]:
        """Which tables they are, at which versions."""
        return (self.profile.at if self.profile else None, self.drift.at if self.drift else None)

    def changes(self, found: Metrics, part: Scope | None, *, baseline: bool) -> Changes:
        """Return what is not as found; of the windows of a part only, and of the baseline's rows only if asked for."""
        profile = None if part is None else {GRANULARITIES[name].label: span.profile for name, span in part.items()}
        drift = None if part is None else {GRANULARITIES[name].label: span.drift for name, span in part.items()}
        return Changes(self._change(self.profile, found.profile, profile, baseline=baseline), self._change(self.drift, found.drift, drift))

    def stale(self, parts: list[Scope]) -> Changes:
        """Return the removal of windows that no part has."""
        known: Spans = {}
        for name, span in ((name, span) for part in parts for name, span in part.items()):
            label = GRANULARITIES[name].label
            known[label] = known.get(label, frozenset()) | span.profile
        return Changes(_removal(self.profile, known), _removal(self.drift, known))

    def with_instant(self, found: Metrics, *, is_known: bool) -> Changes:
        """Return what a snapshot's refresh adds; where the tables are not known to be as one left them, all of them with their history."""
        if self.profile and self.drift and is_known and _fits(self.profile, found.profile) and _fits(self.drift, found.drift):
            nowhere: Spans = {}
            return Changes(
                self._change(self.profile, found.profile, nowhere, baseline=True, all_new=True),
                self._change(self.drift, found.drift, nowhere, all_new=True),
            )
        profile, drift = (table.rows() if table else None for table in (self.profile, self.drift))
        if drift is not None:
            # Of a refresh that was broken off there is drift and no profile.
            seen = pa.array([] if profile is None else instants(profile)["window"].to_pylist(), drift.schema.field("window").type)
            starts = pc.struct_field(seen, "start")
            drift = drift.filter(pc.is_in(pc.struct_field(drift["window"], "start"), value_set=starts))
        return Changes(Change(None, appended(profile, found.profile)), Change(None, appended(drift, found.drift)))

    def earlier(self) -> Earlier | None:
        """Return the newest instant of a snapshot that is in the profile table, if there is one."""
        return latest(self.profile.rows(["window", "logging_table_commit_version"])) if self.profile else None

    def of_instant(self, instant: int) -> pa.Table | None:
        """Return the profile of a snapshot at one instant."""
        return self.profile.rows(where=units_where([(None, [instant])], baseline=False)) if self.profile else None

    def _change(
        self, table: Table | None, rows: pa.Table, spans: Spans | None, *, baseline: bool = False, all_new: bool = False
    ) -> Change:  # fmt: skip
        if spans is not None and not all_new:
            rows = rows.filter(_inside(rows, spans, baseline=baseline))
        if table is None or not _fits(table, rows):
            return Change(None, rows)
        where = None if spans is None else units_where([(label, sorted(starts)) for label, starts in spans.items()], baseline=baseline)
        return difference(table.rows(where=where), rows, self.model_id)


def _fits(table: Table, rows: pa.Table) -> bool:
    return bool(table.delta.schema().to_json() == Schema.from_arrow(rows.schema).to_json())


def _inside(rows: pa.Table, spans: Spans, *, baseline: bool) -> pa.Array:
    none = frozenset[int]()
    units = units_of(rows)
    return pa.array([baseline if start is None else start in spans.get(label or "", none) for _, label, start in units], pa.bool_())


def _removal(table: Table | None, known: Spans) -> Change:
    if table is None:
        return Change(None, pa.table({}))
    kind = "log_type" if "log_type" in table.columns.names else "drift_type"
    units = set(units_of(table.rows([kind, "granularity", "window"])))
    return Change(frozenset(unit for unit in units if _is_stale(unit, known)), table.columns.empty_table())


def _is_stale(unit: Unit, known: Spans) -> bool:
    _, label, start = unit
    return start is not None and start not in known.get(label or "", frozenset[int]())
