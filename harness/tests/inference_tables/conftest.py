"""Inference tables on a state folder of their own, without serving."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from harness.clock import FakeClock
from harness.config import Layout
from harness.ids import SeededIds
from harness.inference_tables import InferenceTables, MoverProcess, WarehouseFolders
from harness.inference_tables.moving import HereMover
from harness.inference_tables.ports import Moved, Mover, Order
from harness.serving.ports import LoggedCall
from harness.state import Store

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)


class Harness:
    """Inference tables on one state folder; `start` again is a restart."""

    def __init__(self, state: Path, mover: Mover, **options: Any) -> None:
        self.layout = Layout(state).make()
        (self.layout.warehouse / "main" / "s").mkdir(parents=True)
        self.clock = FakeClock(NOW)
        self.options = {"mover": mover, **options}
        self.table = self.layout.warehouse / "main" / "s" / "ep_payload"
        self.ids = SeededIds()
        self.numbers = itertools.count(1)
        self.start()

    def start(self) -> None:
        """Start."""
        self.store = Store(self.layout.database)
        folders = WarehouseFolders(self.layout)
        self.tables = InferenceTables(clock=self.clock, ids=self.ids, store=self.store, layout=self.layout, tables=folders, **self.options)
        self.tables.start()

    def stop(self) -> None:
        """Stop, as a harness that is told to."""
        self.tables.close()
        self.store.close()

    def enable(self, endpoint: str = "e1", *, prefix: str = "ep", sampling_fraction: float = 1.0) -> str:
        """Log the endpoint into `main.s.<prefix>_payload`."""
        return self.tables.enable(endpoint, catalog="main", schema="s", prefix=prefix, sampling_fraction=sampling_fraction)

    def call(self, number: int | None = None, endpoint: str = "e1", **more: Any) -> str:
        """Have one answered call noted, and return its id."""
        name = str(next(self.numbers) if number is None else number)
        fields = {
            "databricks_request_id": name,
            "received_ns": int(self.clock.now().timestamp() * 1000) * 1_000_000,
            "status_code": 200,
            "microseconds": 7_900,
            "request": b'{"a": 1}',
            "response": b"{}",
            "served_entity_id": "f" * 32,
            "requester": "me",
            "client_request_id": None,
        }
        self.tables.append(endpoint, [LoggedCall(**{**fields, **more})])
        return name

    def rows(self, table: str = "ep_payload") -> list[dict[str, Any]]:
        """Return the rows of a table as they are now, by their ids."""
        rows: list[dict[str, Any]] = DeltaTable(self.table.parent / table).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: int(row["databricks_request_id"]))

    def flushed(self, table: str = "ep_payload") -> list[str]:
        """Return the ids in a table when everything acknowledged is in it."""
        self.tables.flush()
        return [row["databricks_request_id"] for row in self.rows(table)]


class _Kept:
    """A mover that many harnesses use."""

    def __init__(self, mover: Mover) -> None:
        self._mover = mover

    def move(self, order: Order) -> Moved:
        return self._mover.move(order)

    def close(self) -> None:
        pass


@pytest.fixture(scope="session")
def mover_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mover]:
    """Return one process that writes tables, for all tests: it starts in half a second."""
    process = MoverProcess(tmp_path_factory.mktemp("mover") / "mover.log")
    yield _Kept(process)
    process.close()


@pytest.fixture(params=["here", "process"])
def mover(request: pytest.FixtureRequest) -> Mover:
    """Both who can write tables."""
    found: Mover = HereMover() if request.param == "here" else request.getfixturevalue("mover_process")
    return found


@pytest.fixture
def make_harness(tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    """Start inference tables on a folder of the test's own; without a mover, those that write in this process."""
    made: list[Harness] = []

    def make(mover: Mover | None = None, **options: Any) -> Harness:
        made.append(Harness(tmp_path / str(len(made)), mover or HereMover(), **options))
        return made[-1]

    yield make
    for harness in made:
        harness.stop()


@pytest.fixture
def harness(make_harness: Callable[..., Harness]) -> Harness:
    """Inference tables that write in this process."""
    return make_harness()
