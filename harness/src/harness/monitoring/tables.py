"""The monitored table and the metric tables on disk, by delta-rs: no Spark, milliseconds."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from harness.monitoring.difference import Change
from harness.monitoring.fitness import GoneTable, UnfitTable
from harness.monitoring.progress import At

log = logging.getLogger(__name__)
_CHANGE_FEED = "delta.enableChangeDataFeed"


@dataclass(frozen=True, slots=True)
class Table:
    """A Delta table, opened at one version, by its full name."""

    name: str
    delta: DeltaTable

    @property
    def at(self) -> At:
        """Which table it is, at which version."""
        return At(str(self.delta.metadata().id), self.delta.version())

    @property
    def columns(self) -> pa.Schema:
        """The columns."""
        return pa.schema(self.delta.schema().to_arrow())

    @property
    def in_order(self) -> bool:
        """Whether every reading has the rows in the same order."""
        return not self._marked

    def count(self) -> int:
        """Return how many rows there are."""
        with _reading(self.name):
            if self._marked:
                return int(self._query("COUNT(*)").read_all()[0][0].as_py())
            return int(self.delta.to_pyarrow_dataset().count_rows())

    def rows(self, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """Return the rows where a condition holds, which spares reading files and parts of them by their statistics."""
        with _reading(self.name):
            if self._marked:
                return pa.concat_tables([self._schema(columns).empty_table(), *self._unmarked(columns, where)])
            return self.delta.to_pyarrow_dataset().to_table(columns=None if columns is None else list(columns), filter=where)

    def batches(self, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> Iterator[pa.Table]:
        """Yield the same rows, some at a time."""
        with _reading(self.name):
            if self._marked:
                yield from self._unmarked(columns, where)
                return
            scanner = self.delta.to_pyarrow_dataset().scanner(columns=None if columns is None else list(columns), filter=where)
            for batch in scanner.to_batches():
                yield pa.Table.from_batches([batch])

    @property
    def _marked(self) -> bool:
        """Whether deletion vectors may mark rows of its files as deleted: pyarrow would read them, delta-rs' own engine does not."""
        return "deletionVectors" in (self.delta.protocol().reader_features or ())

    def _unmarked(self, columns: Sequence[str] | None, where: pc.Expression | None) -> Iterator[pa.Table]:
        schema = self._schema(None)
        for batch in self._query("*"):
            rows = pa.Table.from_batches([pa.record_batch(batch)]).cast(schema)
            yield (rows if where is None else rows.filter(where)).select(self._schema(columns).names)

    def _query(self, what: str) -> pa.RecordBatchReader:
        found = QueryBuilder().register("t", self.delta).execute(f"SELECT {what} FROM t")  # noqa: S608 - one of two words
        return pa.RecordBatchReader.from_stream(found)

    def _schema(self, columns: Sequence[str] | None) -> pa.Schema:
        return self.columns if columns is None else pa.schema([self.columns.field(name) for name in columns])

    def changes(self, since: int, columns: Sequence[str]) -> Iterator[pa.Table] | None:
        """Return these columns of all rows that came or went after version `since`, some at a time; None when nobody can tell.

        That is without a change feed in all the time between, when its files are gone, after the table was restored, and where deletion
        vectors tell of a deletion without a word in the feed.
        """
        made = self.delta.version() - since
        if not made:
            return iter(())
        if made < 0 or self._marked or self.delta.metadata().configuration.get(_CHANGE_FEED) != "true":
            return None
        if any(commit["operation"] == "RESTORE" for commit in self.delta.history(made)):
            return None
        return self._changes(since, columns)

    def _changes(self, since: int, columns: Sequence[str]) -> Iterator[pa.Table] | None:
        try:
            feed = pa.RecordBatchReader.from_stream(self.delta.load_cdf(since + 1, self.delta.version(), columns=list(columns)))
            return iter([_without_views(pa.Table.from_batches([batch])) for batch in feed])
        except (DeltaError, pa.ArrowException, OSError) as error:
            log.info("%s: its change feed from version %d on cannot be read: %s", self.name, since + 1, error)
            return None


def opened(path: Path, name: str) -> Table:
    """Return the Delta table `name` at `path` in its newest version."""
    try:
        return Table(name, DeltaTable(path))
    except TableNotFoundError as error:
        raise GoneTable(f"{name}: the table does not exist any more; create it again or delete the monitor") from error
    except (DeltaError, OSError) as error:
        raise UnfitTable(f"{name}: the table cannot be read: {error}") from error


def if_there(path: Path, name: str) -> Table | None:
    """Return the Delta table at `path`, None where there is none."""
    return opened(path, name) if DeltaTable.is_deltatable(str(path)) else None


def at_version(path: Path, name: str, version: int, not_after: int) -> Table | None:
    """Return table `name` at an earlier version; None when that is gone, or when it was made after `not_after`.

    `not_after` is in microseconds since 1970: a version that is younger than a refresh that saw it is of another table of the same name.
    """
    try:
        # Asked of the newest version: delta-rs numbers the history of an earlier one from the wrong end.
        commits = {commit["version"]: commit["timestamp"] for commit in DeltaTable(path).history()}
        if version not in commits or commits[version] > not_after / 1000:
            return None
        return Table(name, DeltaTable(path, version=version))
    except (DeltaError, pa.ArrowException, OSError) as error:
        log.warning("version %d of %s cannot be read any more: %s", version, path, error)
        return None


def write(path: Path, change: Change) -> None:
    """Make a metric table what it shall be, in one commit or, if it is so already, in none; it is created with its change feed on."""
    if change.units is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, change.rows, mode="overwrite", schema_mode="overwrite", configuration={_CHANGE_FEED: "true"})
    elif change.rows.num_rows:
        write_deltalake(path, change.rows, mode="overwrite", predicate=_condition(change))
    elif change.units:
        DeltaTable(path).delete(_condition(change))


def _condition(change: Change) -> str:
    kind = "log_type" if "log_type" in change.rows.column_names else "drift_type"
    starts: dict[tuple[str, str | None], list[int | None]] = {}
    for name, granularity, start in change.units or ():
        starts.setdefault((name, granularity), []).append(start)
    return " OR ".join(f"({_of(kind, *key, found)})" for key, found in starts.items())


def _of(column: str, kind: str, granularity: str | None, starts: Sequence[int | None]) -> str:
    width = "granularity IS NULL" if granularity is None else f"granularity = '{granularity}'"
    known = sorted(start for start in starts if start is not None)
    # Rows without a window are all of their kind, and a field of a struct that is NULL is not NULL to delta-rs.
    when = f" AND CAST(get_field(window, 'start') AS BIGINT) IN ({', '.join(map(str, known))})" if known else ""
    return f"{column} = '{kind}' AND {width}{when}"


def units_where(units: Sequence[tuple[str | None, Sequence[int]]], *, baseline: bool) -> pc.Expression:
    """Return the condition for rows of metric tables in windows of these granularities and starts, and for those of the baseline."""
    found = pc.field("window", "start").is_null() if baseline else pc.scalar(False)
    for label, starts in units:
        times = pa.array(starts, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
        width = pc.field("granularity").is_null() if label is None else pc.field("granularity") == label
        found |= width & pc.field("window", "start").isin(times)
    return found


def _without_views(rows: pa.Table) -> pa.Table:
    # The change feed is read by another engine than the rows, which has text in a form that pyarrow cannot compare with its own.
    types = [pa.string() if pa.types.is_string_view(field.type) else field.type for field in rows.schema]
    return rows.cast(pa.schema(list(zip(rows.column_names, types, strict=True))))


@contextmanager
def _reading(name: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise UnfitTable(f"{name}: the table cannot be read: {error}") from error
