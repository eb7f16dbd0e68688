"""One refresh at work: which windows it must look at, and what is not as it was in them."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from harness.monitoring.bundles import Reading, compute_bundles
from harness.monitoring.compute import Metrics, compute
from harness.monitoring.custom_columns import CustomColumns
from harness.monitoring.difference import Change
from harness.monitoring.fitness import UnfitTable, check_keys, check_table, times
from harness.monitoring.kind import Kind, kind_of
from harness.monitoring.metric_rows import Source
from harness.monitoring.metric_tables import Changes, MetricTables
from harness.monitoring.model import GranularityName
from harness.monitoring.progress import Progress, why_all
from harness.monitoring.reading import Reader
from harness.monitoring.sample import Sample
from harness.monitoring.scope import Scope, Span, around, parts, starts_of, within
from harness.monitoring.snapshots import appended
from harness.monitoring.tables import Table

log = logging.getLogger(__name__)
Slices = tuple[tuple[str, ...], ...]
_NOTHING = Span(*[frozenset[int]()] * 3)


@dataclass(frozen=True, slots=True)
class Looking:
    """What a refresh works with: tables as they are, what it is to compute of them, and what an earlier one `saved` (`now`: would)."""

    reader: Reader
    table: Table
    baseline: Table | None
    source: Source
    custom: CustomColumns
    existing: MetricTables
    saved: Progress | None
    now: Progress
    check: Callable[[], None]
    most_cells: int

    @property
    def kind(self) -> Kind:
        """How the monitor looks at its table."""
        return kind_of(self.source.config)

    def windows(self) -> tuple[Changes, Slices]:
        """Return what is to be written of a monitor that has windows, and the values that make its slices."""
        check_table(self.table.name, self.table.columns.empty_table(), self.kind)
        why = why_all(self.saved, self.now)
        if self.saved is not None and why is None:
            touched = self._touched(self.saved)
            if touched is not None and not any(touched.values()) and self._has_seen_all(self.saved):
                return _nothing(), self.saved.slices
            slices = () if touched is None else self.reader.slice_values(self.table)
            if touched is not None and slices == self.saved.slices:
                log.info("%s: windows touched by new commits: %s", self.table.name, {name: len(found) for name, found in touched.items()})
                return self._some(around(touched), slices), slices
            why = "its change feed cannot be read" if touched is None else "changed: the values that make slices"
        log.info("%s: all windows are computed: %s", self.table.name, why)
        return self._all()

    def snapshot(self, instant: int) -> tuple[Changes, Slices]:
        """Return what is to be written of a snapshot at an instant."""
        check_table(self.table.name, self.table.columns.empty_table(), self.kind)
        earlier = self.existing.earlier()
        previous = None if earlier is None else self.reader.earlier(self.table.name, earlier)
        own = max(instant, 0 if earlier is None else earlier.instant + 1)
        source = self.source.at(own, None, 0 if earlier is None else earlier.instant)
        reading = Reading(self.reader, self.table, self.baseline, previous, source, self.most_cells)
        read, found = compute_bundles(reading.bundles(), reading.read, self.check)
        whole = reading.described(read)
        profile = self.custom.profile(whole, found.profile)
        history = self.existing.of_instant(earlier.instant) if earlier and self.custom.compares else None
        found = Metrics(profile, self.custom.drift(found.drift, appended(history, profile)))
        is_known = self.saved is not None and (self.saved.profile, self.saved.drift) == self.existing.at
        return self.existing.with_instant(found, is_known=is_known), read.sample.slice_values()

    def _touched(self, saved: Progress) -> dict[GranularityName, frozenset[int]] | None:
        """Return the windows that new commits touched; None when their changes cannot be had, or not all understood."""
        names = [name for name in (self.kind.timestamp, self.kind.model_id) if name is not None]
        feed = self.table.changes(saved.table.version, names)
        if feed is None:
            return None
        found: dict[GranularityName, frozenset[int]] = {name: frozenset() for name in self.kind.granularities}
        try:
            for rows in feed:
                check_keys(self.table.name, rows, self.kind)
                instants, timed = times(self.table.name, rows, self.kind.timestamp or "")
                for name, starts in starts_of(instants[timed], self.kind.granularities).items():
                    found[name] |= starts
        except UnfitTable:  # of rows that may be gone again: only the table itself can say
            return None
        return found

    def _has_seen_all(self, saved: Progress) -> bool:
        """Return whether there is nothing new; rows without a time touch no window, and yet decide which slices there are."""
        return saved.table == self.now.table or self.reader.slice_values(self.table) == saved.slices

    def _some(self, scope: Scope, slices: Slices) -> Changes:
        source, found = replace(self.source, baseline=self._baseline()), _nothing()
        for part in self._parts(scope):
            sample = self.reader.part(self.table, self.kind, part, slices)
            found = found.joined(self.existing.changes(self._metrics(replace(source, sample=sample), part), part, baseline=False))
        return found

    def _all(self) -> tuple[Changes, Slices]:
        source = replace(self.source, baseline=self._baseline())
        if self.table.count() * len(self.table.columns) <= self.most_cells:
            sample = self.reader.whole(self.table)
            found = self._metrics(replace(source, sample=sample), None)
            return self.existing.changes(found, None, baseline=True), sample.slice_values()
        slices, done, changes = self.reader.slice_values(self.table), list[Scope](), _nothing()
        for part in self._parts(None):
            sample = self.reader.part(self.table, self.kind, part, slices)
            found = self._metrics(replace(source, sample=sample), part)
            changes = changes.joined(self.existing.changes(found, part, baseline=not done))
            done.append(part)
        return changes.joined(self.existing.stale(done)), slices

    def _parts(self, scope: Scope | None) -> Iterator[Scope]:
        """Yield what is to be computed a part at a time, none of more values than can be looked at together."""
        most = self.most_cells // len(self.table.columns)
        if scope is not None and self.table.count() <= most:
            yield scope
            return
        counts = self.reader.counts(self.table, self.kind, scope)
        if not any(counts.values()):
            yield dict.fromkeys(self.kind.granularities, _NOTHING)
        for part in parts(counts, most):
            yield part if scope is None else within(scope, part)

    def _metrics(self, source: Source, part: Scope | None) -> Metrics:
        """Return the rows of both metric tables with custom metrics; those of drift need the profile of all that is compared."""
        self.check()
        wide = part and {name: replace(span, profile=span.seen) for name, span in part.items()}
        found = compute(source, wide if self.custom.compares else part, self.check)
        profile = self.custom.profile(source, found.profile)
        return Metrics(profile, self.custom.drift(found.drift, profile))

    def _baseline(self) -> Sample | None:
        return None if self.baseline is None else self.reader.baseline(self.baseline)


def _nothing() -> Changes:
    return Changes(Change.nothing(), Change.nothing())
