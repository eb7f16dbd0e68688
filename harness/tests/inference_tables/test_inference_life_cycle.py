"""What becomes of inference tables when endpoints, tables, schemas and processes come and go."""

import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, write_deltalake

from harness.config import Layout
from harness.errors import ApiError
from harness.inference_tables import InferenceTables, MoverProcess
from harness.inference_tables.delta_table import SMALL_FILES
from harness.inference_tables.ports import Mover


class Harness(Protocol):
    """What conftest.py starts."""

    layout: Layout
    tables: InferenceTables
    table: Path

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def enable(self, endpoint: str = "e1", *, prefix: str = "ep", sampling_fraction: float = 1.0) -> str: ...
    def call(self, number: int | None = None, endpoint: str = "e1", **more: Any) -> str: ...
    def rows(self, table: str = "ep_payload") -> list[dict[str, Any]]: ...
    def flushed(self, table: str = "ep_payload") -> list[str]: ...


MakeHarness = Callable[..., Harness]


def test_somebody_elses_table_blocks_enabling(harness: Harness) -> None:
    """A table of that name that is there already is never written to."""
    write_deltalake(harness.table, pa.table({"mine": [1]}))
    with pytest.raises(ApiError, match=r"'main\.s\.ep_payload' already exists; drop or rename it, or choose another prefix") as caught:
        harness.enable()
    assert (caught.value.status, caught.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


def test_enabling_again_changes_nothing_but_another_endpoint_is_blocked(harness: Harness) -> None:
    """put_ai_gateway may repeat itself; a recreated endpoint has a new id and finds the old table in its way."""
    harness.enable()
    harness.call()
    harness.tables.flush()
    harness.enable()
    harness.call()
    assert harness.flushed() == ["1", "2"]
    with pytest.raises(ApiError, match="already exists"):
        harness.enable("e2")


def test_name_is_taken_before_its_table_is_made(harness: Harness) -> None:
    """Two endpoints that have not been called yet cannot log into one table."""
    harness.enable("e1")
    with pytest.raises(ApiError, match="already exists"):
        harness.enable("e2")
    assert harness.tables.tables() == ["main.s.ep_payload"]
    harness.call()
    assert harness.flushed() == ["1"]


def test_enabling_again_after_disabling_is_blocked_by_the_table(harness: Harness) -> None:
    """As on the platform: the table of the first time is in the way, until it is dropped."""
    harness.enable()
    harness.call()
    harness.tables.disable("e1")
    harness.tables.flush()
    with pytest.raises(ApiError, match="already exists"):
        harness.enable()
    shutil.rmtree(harness.table)
    harness.enable()
    harness.call()
    assert harness.flushed() == ["2"]


def test_enabling_again_before_there_is_a_table(make_harness: MakeHarness) -> None:
    """The log goes on where it was; no call of either time is lost."""
    harness = make_harness()
    harness.enable()
    (harness.table.parent).rename(harness.table.parent.with_name("away"))  # so that the first call cannot be in the table yet
    harness.call()
    harness.tables.disable("e1")
    harness.table.parent.with_name("away").rename(harness.table.parent)
    harness.enable()
    harness.call()
    assert harness.flushed() == ["1", "2"]


def test_catalog_that_goes_takes_its_logs_along(make_harness: MakeHarness) -> None:
    """Rows that wait for a table of it are dropped, nothing is written there any more, and nobody waits for them."""
    harness = make_harness()
    harness.enable()
    away = harness.table.parent.rename(harness.table.parent.with_name("away"))  # so that the call waits
    harness.call()

    harness.tables.drop_catalog("main")

    away.rename(harness.table.parent)
    harness.call()
    harness.tables.flush()
    assert not harness.table.exists()
    assert list(harness.layout.journal.iterdir()) == []
    harness.tables.drop_catalog("main")  # nothing is there any more
    harness.enable()
    harness.call()
    assert len(harness.flushed()) == 1


def test_update_to_another_table(make_harness: MakeHarness, mover: Mover) -> None:
    """Calls are in the table that was theirs when they were answered."""
    harness = make_harness(mover)
    harness.enable()
    harness.call()
    harness.enable(prefix="other")
    harness.call()
    assert harness.flushed() == ["1"]
    assert harness.flushed("other_payload") == ["2"]


def test_refused_update_leaves_the_old_table_in_use(harness: Harness) -> None:
    """A blocked name ends nothing."""
    write_deltalake(harness.table.parent / "other_payload", pa.table({"mine": [1]}))
    harness.enable()
    with pytest.raises(ApiError, match="already exists"):
        harness.enable(prefix="other")
    harness.call()
    assert harness.flushed() == ["1"]


def test_missing_schema_is_told(harness: Harness) -> None:
    """404 with the schema's name."""
    with pytest.raises(ApiError, match=r"Schema 'main\.nope' does not exist"):
        harness.tables.enable("e1", catalog="main", schema="nope", prefix="x")


def test_schema_that_goes_away_keeps_rows_waiting(harness: Harness) -> None:
    """The flush says so; the rows come when it is back."""
    harness.enable()
    schema = harness.table.parent
    shutil.rmtree(schema)
    harness.call()
    with pytest.raises(ApiError, match=r"main\.s\.ep_payload: Schema 'main\.s' does not exist") as caught:
        harness.tables.flush(1.5)
    assert caught.value.status == 504
    schema.mkdir()
    assert harness.flushed() == ["1"]


def test_dropped_table_is_made_again(make_harness: MakeHarness, mover: Mover) -> None:
    """Rows after the drop are in a new table; those before went with the old one."""
    harness = make_harness(mover)
    harness.enable()
    harness.call()
    harness.tables.flush()
    shutil.rmtree(harness.table)
    harness.call()
    assert harness.flushed() == ["2"]


def test_replaced_table_keeps_rows_waiting_and_says_so(make_harness: MakeHarness, mover: Mover) -> None:
    """Rows that cannot be written are in no other table and not lost: they come when the way is free."""
    harness = make_harness(mover)
    harness.enable()
    write_deltalake(harness.table, pa.table({"mine": [1]}))
    harness.call()
    with pytest.raises(ApiError, match=r"main\.s\.ep_payload exists and was not made by this endpoint's inference log") as caught:
        harness.tables.flush(1.5)
    assert caught.value.status == 504
    shutil.rmtree(harness.table)
    assert harness.flushed() == ["1"]


def test_altered_table_keeps_rows_waiting(make_harness: MakeHarness) -> None:
    """A column more than the platform's twelve stops the logging, as altering does there; nothing is lost."""
    harness = make_harness()
    harness.enable()
    harness.call()
    harness.tables.flush()
    DeltaTable(harness.table).alter.add_columns([Field("mine", "string")])
    harness.call()
    with pytest.raises(ApiError, match=r"main\.s\.ep_payload"):
        harness.tables.flush(1.5)
    shutil.rmtree(harness.table)
    assert harness.flushed() == ["2"]


def test_disabled_endpoint_is_not_logged_any_more(harness: Harness) -> None:
    """What was acknowledged before still arrives."""
    harness.enable()
    harness.call()
    harness.tables.disable("e1")
    harness.call()
    assert harness.flushed() == ["1"]


def test_restart_goes_on_in_the_same_table(make_harness: MakeHarness, mover: Mover) -> None:
    """Neither repeats nor loses a row."""
    harness = make_harness(mover)
    harness.enable()
    harness.call()
    harness.stop()
    harness.start()
    harness.call()
    assert harness.flushed() == ["1", "2"]


def test_writing_process_that_dies_is_started_again(make_harness: MakeHarness, tmp_path: Path) -> None:
    """Killed between orders or by the machine: the rows wait for its successor."""
    mover = MoverProcess(tmp_path / "mover.log")
    harness = make_harness(mover)
    harness.enable()
    harness.call()
    harness.tables.flush()
    assert mover.pid is not None
    os.kill(mover.pid, signal.SIGKILL)
    harness.call()
    assert harness.flushed() == ["1", "2"]


def test_commit_that_a_killed_harness_left_behind_is_waited_for(make_harness: MakeHarness, mover: Mover) -> None:
    """Its writing process may live a moment longer; until it is done, nobody else moves the same calls."""
    harness = make_harness(mover)
    harness.enable()
    (folder,) = harness.layout.journal.iterdir()
    with (folder / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        harness.call()
        with pytest.raises(ApiError, match="still writing"):
            harness.tables.flush(1)
        assert not harness.table.exists()
    assert harness.flushed() == ["1"]


def test_many_small_commits_stay_few_files(harness: Harness) -> None:
    """Small files become one, which changes neither rows nor change data feed nor the count; checkpoints keep opening cheap."""
    harness.enable()
    count = 2 * SMALL_FILES + 10
    for _ in range(count):
        harness.call()
        harness.tables.flush()
    assert harness.flushed() == [str(number + 1) for number in range(count)]
    table = DeltaTable(harness.table)
    assert len(table.file_uris()) < SMALL_FILES
    changes = pa.table(table.load_cdf(starting_version=0))
    assert sorted(map(int, changes["databricks_request_id"].to_pylist())) == list(range(1, count + 1))
    assert set(changes["_change_type"].to_pylist()) == {"insert"}
    log = harness.table / "_delta_log"
    compactions = [actions for actions in map(_actions, sorted(log.glob("*.json"))) if any("remove" in action for action in actions)]
    assert len(compactions) == 2
    assert not any(
        action[kind]["dataChange"] for actions in compactions for action in actions for kind in ("add", "remove") if kind in action
    )
    assert (log / "_last_checkpoint").exists()


def _actions(commit: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commit.read_text().splitlines()]
