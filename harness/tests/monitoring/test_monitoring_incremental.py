"""Refreshes that look only at what changed: equal to looking at everything, whatever was done to the table between them."""

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.monitoring.computation import Computation
from harness.monitoring.looking import Looking
from harness.monitoring.model import DataProfilingConfig, GranularityName, InferenceLogConfig, Monitor
from harness.monitoring.progress import At, Progress, why_all
from harness.monitoring.reading import Reader
from harness.monitoring.sample import Sample
from harness.names import FullName

DAY: GranularityName = "AGGREGATION_GRANULARITY_1_DAY"
COLUMNS = pa.schema(
    [
        ("id", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("model", pa.string()),
        ("zone", pa.string()),
        ("x", pa.float64()),
        ("prediction", pa.float64()),
        ("label", pa.float64()),
    ]
)
Row = tuple[int | None, str | None, str | None, float | None, float | None]
Step = tuple[str, object]


class Folder:
    """The catalog port over a folder where every table and schema is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def table_path(self, full_name: FullName) -> Path:
        return self.folder / full_name.schema / full_name.name

    def table_by_id(self, _table_id: str) -> FullName | None:
        return FullName("main", "s", "trips")

    def table_id(self, _table: FullName) -> str:
        return "1"

    def schema_id(self, _catalog: str, _schema: str) -> str:
        return "1"

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        return ("main", schema_id)


class NoSpark:
    """The port of SQL expressions, of which there are none."""

    def rows(self, *_: object) -> pa.Table:
        raise AssertionError

    def groups(self, *_: object, **__: object) -> pa.Table:
        raise AssertionError

    def evaluate(self, *_: object) -> pa.Table:
        raise AssertionError


def _told(times: pa.ChunkedArray, clock: pa.DataType) -> pa.ChunkedArray:
    return times.cast(pa.timestamp("s", tz="UTC")).cast(clock) if pa.types.is_integer(clock) else times.cast(clock)


@dataclass
class Bench:
    """A monitored table, a monitor of it, and what its last refresh left."""

    folder: Path
    granularities: Sequence[GranularityName] = (DAY,)
    slicing: Sequence[str] = ()
    feed: bool = True
    baseline: bool = False
    most_cells: int = 16_000_000
    clock: pa.DataType = COLUMNS.field("at").type
    saved: Progress | None = None
    count: int = field(default=0)

    def __post_init__(self) -> None:
        self.tables = Folder(self.folder)
        self.path = self.tables.table_path(FullName("main", "s", "trips"))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        feed = {"delta.enableChangeDataFeed": "true"} if self.feed else {}
        write_deltalake(self.path, self.rows([]), configuration=feed)
        if self.baseline:
            base = self.rows([(None, "1", "a", 1.0, 2.0), (None, "2", "b", 3.0, 2.5), (None, "1", "a", -1.0, None)])
            write_deltalake(self.tables.table_path(FullName("main", "s", "base")), base)

    def rows(self, drawn: Sequence[Row]) -> pa.Table:
        """Return rows, each with an id of its own, at hours since the end of January."""
        start = dt.datetime(2026, 1, 30, tzinfo=dt.UTC)
        made = []
        for hours, model, zone, x, label in drawn:
            self.count += 1
            at = None if hours is None else start + dt.timedelta(hours=hours)
            row = {"id": self.count, "at": at, "model": model, "zone": zone, "x": x, "prediction": 1.5, "label": label}
            made.append(row)
        rows = pa.Table.from_pylist(made, COLUMNS)
        return rows.set_column(COLUMNS.get_field_index("at"), "at", _told(rows["at"], self.clock))

    def monitor(self, output: str = "out", version: int = 0) -> Monitor:
        log = InferenceLogConfig(
            problem_type="INFERENCE_PROBLEM_TYPE_REGRESSION",
            timestamp_column="at",
            granularities=tuple(self.granularities),
            prediction_column="prediction",
            model_id_column="model",
            label_column="label",
        )
        config = DataProfilingConfig(
            output_schema_id=output,
            inference_log=log,
            slicing_exprs=tuple(self.slicing),
            baseline_table_name="main.s.base" if self.baseline else None,
        )
        return Monitor(
            table_id="1", table="main.s.trips", output_schema=f"main.{output}", config=config, version=version,
            status="DATA_PROFILING_STATUS_ACTIVE", created_ms=0,
        )  # fmt: skip

    def refresh(self, computation: Computation | None = None) -> None:
        """Refresh as the service does."""
        computation = computation or self.computation()
        work = computation.work(self.monitor(), self.saved, dt.datetime.now(dt.UTC), lambda: None)
        self.saved = computation.write(work, self.monitor())

    def computation(self) -> Computation:
        return Computation(self.tables, NoSpark(), None, quantile_grid=False, most_cells=self.most_cells)

    def looking(self) -> Looking:
        return self.computation().looking(self.monitor(), self.saved, lambda: None)

    def everything(self) -> list[list[str]]:
        """Return the rows of both metric tables as a first refresh of another monitor writes them."""
        whole = Computation(self.tables, NoSpark(), None, quantile_grid=False)
        monitor = self.monitor("fresh", version=0)
        work = whole.work(monitor, None, dt.datetime.now(dt.UTC), lambda: None)
        return [rows_of(change.rows) for change in (work.changes.profile, work.changes.drift)]

    def found(self) -> list[list[str]]:
        """Return the rows of both metric tables as they lie there."""
        return [rows_of(self.metric(name).to_pyarrow_table()) for name in ("profile", "drift")]

    def metric(self, name: str) -> DeltaTable:
        return DeltaTable(self.tables.table_path(FullName("main", "out", f"trips_{name}_metrics")))

    def versions(self) -> list[int]:
        return [self.metric(name).version() for name in ("profile", "drift")]


def rows_of(table: pa.Table) -> list[str]:
    """Return the rows as text that tells all bits apart, in an order of their own."""
    names = [name for name in table.column_names if name != "logging_table_commit_version"]
    return sorted(repr(row) for row in table.select(names).to_pylist())


NUMBER = st.sampled_from([None, -0.0, 0.0, 1.0, 0.1, 0.2, 0.3, 1e300, float("nan"), float("inf")])
ROW = st.tuples(
    st.sampled_from([None, 0, 1, 23, 24, 40, 47, 48, 49, 75, 100, 24 * 40]),
    st.sampled_from([None, "1", "2"]),
    st.sampled_from([None, "a", "b", "c"]),
    NUMBER,
    st.sampled_from([None, 0.0, 0.1, 0.7, 2.5]),
)
ROWS = st.lists(ROW, min_size=1, max_size=6)
STEP = st.one_of(
    st.tuples(st.just("append"), ROWS),
    st.tuples(st.just("append"), ROWS),
    st.tuples(st.sampled_from(["label", "merge", "move", "delete"]), st.integers(0, 4)),
    st.tuples(st.just("overwrite"), ROWS),
    st.tuples(st.sampled_from(["compact", "restore", "refresh", "refresh", "crash between the writes", "crash before saving"]), st.none()),
)


def take(bench: Bench, step: Step) -> None:
    """Do to the table what the step says, or refresh the monitor, perhaps not to the end."""
    name, value = step
    if name == "refresh":
        bench.refresh()
    elif name.startswith("crash"):
        crash(bench, after_both=name == "crash before saving")
    elif name in ("append", "overwrite"):
        write_deltalake(bench.path, bench.rows(value), mode=name)  # type: ignore[call-overload]  # by name
    else:
        change(DeltaTable(bench.path), name, value)


def change(table: DeltaTable, name: str, value: object) -> None:
    """Change rows that are there, or how they lie there."""
    own = f"id % 5 = {value}"
    match name:
        case "label":
            table.update(updates={"label": "0.3"}, predicate=own)
        case "move":
            table.update(updates={"at": "at + INTERVAL '25' HOUR"}, predicate=own)
        case "delete":
            table.delete(own)
        case "merge":
            late = pa.table({"id": pa.array([value], pa.int64()), "label": [9.0]})
            merge = table.merge(late, "t.id % 5 = s.id", source_alias="s", target_alias="t")
            merge.when_matched_update({"label": "s.label"}).execute()
        case "compact":
            table.optimize.compact()
        case "restore" if table.version():
            table.restore(max(0, table.version() - 2))


def crash(bench: Bench, *, after_both: bool) -> None:
    """Refresh, and lose what it would remember; perhaps also the write of the second table."""
    saved, profile = bench.saved, bench.tables.table_path(FullName("main", "out", "trips_profile_metrics"))

    class Broken(Folder):
        def table_path(self, full_name: FullName) -> Path:
            if full_name.name == profile.name and not after_both and writing:
                raise ConnectionError
            return super().table_path(full_name)

    writing = False
    computation = Computation(Broken(bench.folder), NoSpark(), None, quantile_grid=False, most_cells=bench.most_cells)
    work = computation.work(bench.monitor(), bench.saved, dt.datetime.now(dt.UTC), lambda: None)
    writing = True
    try:
        computation.write(work, bench.monitor())
    except ConnectionError:
        assert not after_both
    bench.saved = saved


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(STEP, min_size=2, max_size=7),
    granularities=st.sampled_from([[DAY], [DAY, "AGGREGATION_GRANULARITY_1_HOUR", "AGGREGATION_GRANULARITY_1_MONTH"]]),
    slicing=st.sampled_from([[], ["zone"]]),
    feed=st.sampled_from([True, True, False]),
    baseline=st.booleans(),
    most_cells=st.sampled_from([16_000_000, 7, 70]),
)
def test_a_refresh_of_what_changed_leaves_what_a_refresh_of_everything_writes(
    *, steps: list[Step], granularities: list[GranularityName], slicing: list[str], feed: bool, baseline: bool, most_cells: int
) -> None:
    """Row for row and bit for bit; read in parts or at once, with a change feed or without; and the next refresh has nothing to write."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), granularities, slicing, feed, baseline, most_cells)
        for step in (*steps, ("refresh", None)):
            take(bench, step)

        assert bench.found() == bench.everything()
        versions = bench.versions()
        bench.refresh()
        assert bench.versions() == versions


def test_a_change_feed_of_the_metric_tables_shows_only_what_changed(tmp_path: Path) -> None:
    """A late row: the rows of its day, and how that day and the one behind it differ from the ones before; no other day's."""
    bench = Bench(tmp_path)
    take(bench, ("append", [(24 * day, "1", "a", float(day), 1.0) for day in range(6)]))
    bench.refresh()
    take(bench, ("append", [(24 * 2 + 5, "1", "a", 50.0, 1.0)]))

    bench.refresh()

    days = {}
    for name in ("profile", "drift"):
        feed = pa.table(bench.metric(name).load_cdf(1)).to_pylist()
        assert {row["_change_type"] for row in feed} == {"insert", "delete"}
        days[name] = {(row["window"]["start"].month, row["window"]["start"].day) for row in feed}
    assert days == {"profile": {(2, 1)}, "drift": {(2, 1), (2, 2)}}
    assert bench.versions() == [1, 1]
    assert bench.found() == bench.everything()


def test_only_the_windows_around_a_late_row_are_read(tmp_path: Path) -> None:
    """Rows of other days are not even looked at: the days before and behind are, for drift."""
    bench = Bench(tmp_path)
    take(bench, ("append", [(24 * day, "1", "a", float(day), 1.0) for day in range(9)]))
    bench.refresh()
    take(bench, ("append", [(24 * 4 + 5, "1", "a", 50.0, 1.0)]))
    read: list[Sample] = []

    class Watched(Reader):
        def part(self, *arguments: Any) -> Sample:
            read.append(super().part(*arguments))
            return read[-1]

    watched = bench.looking()
    replace(watched, reader=Watched(bench.tables, NoSpark(), ())).windows()

    (sample,) = read
    assert sorted({moment.day for moment in sample.rows["at"].to_pylist()}) == [2, 3, 4]


def test_a_baseline_s_rows_and_a_window_s_are_replaced_together(tmp_path: Path) -> None:
    """A new value makes a new slice, which the baseline has too: its rows have no window, and are known all the same."""
    bench = Bench(tmp_path, slicing=["zone"], baseline=True)
    take(bench, ("append", [(0, "1", "a", 1.0, 1.0), (24, "1", "a", 2.0, 1.0)]))
    bench.refresh()
    take(bench, ("append", [(25, "1", "b", 50.0, 1.0)]))

    bench.refresh()

    assert bench.found() == bench.everything()
    assert bench.versions() == [1, 1]


def test_a_refresh_can_be_ended_between_any_two_windows(tmp_path: Path) -> None:
    """It asks whether it is still wanted at least once a window, and writes nothing when it is not."""
    bench = Bench(tmp_path)
    take(bench, ("append", [(24 * day, "1", "a", float(day), 1.0) for day in range(9)]))
    asked: list[int] = []

    def check() -> None:
        asked.append(len(asked))
        if len(asked) == 9:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        bench.computation().work(bench.monitor(), None, dt.datetime.now(dt.UTC), check)

    assert not bench.tables.table_path(FullName("main", "out", "trips_profile_metrics")).exists()


@pytest.mark.parametrize("most_cells", [pytest.param(16_000_000, id="at once"), pytest.param(7, id="a window at a time")])
@pytest.mark.parametrize(
    "clock",
    [
        pytest.param(pa.date32(), id="dates"),
        pytest.param(pa.string(), id="text"),
        pytest.param(pa.int64(), id="seconds"),
        pytest.param(pa.timestamp("us"), id="without a zone"),
    ],
)
def test_times_of_every_type_are_known_again_in_new_commits(tmp_path: Path, clock: pa.DataType, most_cells: int) -> None:
    """Whatever the column of times is made of: a late row touches the windows that it is in, and no other is another."""
    bench = Bench(tmp_path, [DAY, "AGGREGATION_GRANULARITY_1_WEEK"], most_cells=most_cells, clock=clock)
    take(bench, ("append", [(24 * day, "1", "a", float(day), 1.0) for day in range(12)]))
    bench.refresh()
    take(bench, ("append", [(24 * 4, "1", "a", 50.0, 1.0), (None, "1", "a", 50.0, 1.0)]))

    bench.refresh()

    assert bench.found() == bench.everything()
    feed = pa.table(bench.metric("profile").load_cdf(1)).to_pylist()
    assert {(row["granularity"], row["window"]["start"].day) for row in feed} == {("1 day", 3), ("1 week", 2)}


def progress(**changes: object) -> Progress:
    at = At("t", 3)
    found = Progress(monitor_version=1, settings="s", table=at, columns="c", baseline=at, slices=(), profile=at, drift=at)
    return msgspec.structs.replace(found, **changes)


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        pytest.param(None, "nothing is known", id="first"),
        pytest.param(progress(), None, id="as it was"),
        pytest.param(progress(table=At("t", 2)), None, id="new commits"),
        pytest.param(progress(monitor_version=0), "the configuration", id="configuration"),
        pytest.param(progress(settings="other"), "the harness", id="harness"),
        pytest.param(progress(table=At("u", 2)), "the table itself", id="made again"),
        pytest.param(progress(table=At("t", 4)), "the table itself", id="earlier version"),
        pytest.param(progress(columns="d"), "the table's columns", id="columns"),
        pytest.param(progress(baseline=At("t", 2)), "the baseline", id="baseline changed"),
        pytest.param(progress(baseline=None), "the baseline", id="baseline added"),
        pytest.param(progress(profile=At("t", 2)), "the metric tables", id="metric table changed by someone"),
        pytest.param(progress(drift=None), "the metric tables", id="metric table dropped"),
    ],
)
def test_everything_is_computed_again_only_where_new_commits_do_not_say_enough(saved: Progress | None, reason: str | None) -> None:
    """With the reason, which the log shows."""
    found = why_all(saved, progress())

    assert found is None if reason is None else reason in (found or "")
