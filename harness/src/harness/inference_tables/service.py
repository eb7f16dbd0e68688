"""Inference tables: every call to a served model becomes one row of its endpoint's payload table."""

import datetime as dt
import logging
import shutil
import threading
from collections.abc import Sequence

from msgspec.structs import replace

from harness.clock import Clock
from harness.config import Layout
from harness.errors import ApiError
from harness.ids import Ids
from harness.inference_tables.delivery import Delivery
from harness.inference_tables.delta_table import DeltaPayloadTable
from harness.inference_tables.journal import TAKE_CALLS, Journal
from harness.inference_tables.model import Call, InferenceLog, table_name
from harness.inference_tables.moving import REFUSALS, HereMover
from harness.inference_tables.ports import FOREVER, Mover, TableFolders
from harness.inference_tables.records import Terms
from harness.inference_tables.writer import LogWriter
from harness.names import FullName
from harness.state import Documents, Store

log = logging.getLogger(__name__)
QUIET_SECONDS = 0.3  # when no call came for so long, rows are committed
HOLD_SECONDS = 10.0  # while calls keep coming, or so many that they fill a batch, they wait at most this long: few commits are cheap ones
RETRY_SECONDS = 0.5
DROP_SECONDS = 30.0  # for what is being written to a table that goes; a harness that is ending writes no more
URGENT_CALLS = 1_000_000  # so many waiting are no longer held back for serving's sake


class InferenceTables:
    """Keeps one log per endpoint that has its inference table enabled.

    `mover` is who writes the tables: in this process, or in one of its own, which is what does not slow serving down (`MoverProcess`).
    `databricks_output` has logged answers end with `"databricks_output": {"trace": null, "databricks_request_id": …}`.

    Assumption: the table is created by the first logged call ("after the first request", as the tutorial of the documentation says);
    `create_when_enabled` makes it when logging is enabled (the same page's other sentence).

    Assumption: the logged response is the HTTP answer and has no `databricks_output`; tables on the platform have been seen with it, that a
    plain custom model's HTTP answer has it is not proven, and every reader of the table accepts both.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        store: Store,
        layout: Layout,
        tables: TableFolders,
        mover: Mover | None = None,
        create_when_enabled: bool = False,
        databricks_output: bool = False,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._logs = Documents(store, "inference_log", InferenceLog)
        self._folder = layout.journal
        self._tables = tables
        self._mover = mover or HereMover()
        self._create_when_enabled = create_when_enabled
        self._databricks_output = databricks_output
        self._delivery = Delivery()
        self._changed = threading.Condition()
        self._writers: dict[str, LogWriter] = {}  # by log id: whatever has a journal
        self._current: dict[str, LogWriter] = {}  # by endpoint id: what is enabled
        self._dropped: set[str] = set()  # ids of logs whose tables are about to go: the thread that writes lets go of them
        self._flushing = 0
        self._idle = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up the logs of the last time, with the rows still in their journals, and start writing."""
        for inference_log in self._logs.list():
            self._open(inference_log)
        self._thread = threading.Thread(target=self._run, name="inference-tables", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is there and stop; what cannot be written stays in the journals. Twice without harm."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._mover.close()
        for writer in self._writers.values():
            writer.journal.close()

    def enable(self, endpoint_id: str, *, catalog: str, schema: str, prefix: str, sampling_fraction: float = 1.0) -> str:
        """Log the endpoint's calls, or a sample of them, from now on, and return the table's name.

        Enabling the same again changes nothing but the sample. Which calls a sample takes depends on their ids alone.

        Assumption: a table of that name which this log did not make is refused with 400 (that it blocks is documented, the wording is not).
        """
        if not 0 <= sampling_fraction <= 1:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"sampling_fraction is {sampling_fraction:g}; expected a number from 0 to 1")
        table = FullName.parse(table_name(catalog, schema, prefix))
        with self._logs.transaction():
            writer = self._current.get(endpoint_id)
            if writer is None or writer.log.table != str(table):
                writer = self._unfinished(endpoint_id, table)
                self.disable(endpoint_id)
            if writer is None:
                inference_log = InferenceLog(log_id=self._ids.hex32(), endpoint_id=endpoint_id, table=str(table))
                writer = self._open(inference_log)
            self._change(writer, replace(writer.log, enabled=True, sampling_fraction=sampling_fraction))
        if self._create_when_enabled:
            writer.create_table()
        return str(table)

    def disable(self, endpoint_id: str) -> None:
        """Log nothing more for the endpoint; rows acknowledged before still reach their table."""
        with self._logs.transaction():
            writer = self._current.get(endpoint_id)
            if writer is not None:
                self._change(writer, replace(writer.log, enabled=False))

    def drop_catalog(self, catalog: str) -> None:
        """Log nothing more into tables of `catalog`, which is about to be removed; rows that wait for them go too."""
        with self._logs.transaction():
            writers = [writer for writer in self._writers.values() if FullName.parse(writer.log.table).catalog == catalog]
            for writer in writers:
                self._change(writer, replace(writer.log, enabled=False))
        ids = {writer.log.log_id for writer in writers}
        with self._changed:
            self._dropped |= ids
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._thread is None or not ids & self._writers.keys(), DROP_SECONDS)
            self._dropped -= ids

    def tables(self) -> Sequence[str]:
        """Return the names of the tables that calls are logged into, or have yet to reach."""
        with self._logs.transaction():
            return sorted({writer.log.table for writer in self._writers.values()})

    @property
    def delivery(self) -> Delivery:
        """How rows reach their tables now."""
        return self._delivery

    def deliver(self, delivery: Delivery) -> None:
        """Deliver as asked from now on."""
        with self._changed:
            self._delivery = delivery
            for writer in self._writers.values():
                writer.agree(self._terms(writer.log))
            self._changed.notify_all()

    def append(self, endpoint_id: str, calls: Sequence[Call]) -> None:
        """Have the calls on disk when this returns, if the endpoint's calls are logged. OSError when the disk refuses them.

        One write, and about a microsecond a call, when `calls` are a batch of eight or more.
        """
        writer = self._current.get(endpoint_id)
        if writer is None:
            return
        try:
            writer.append(calls)
        except OSError:
            if writer.log.enabled:
                raise
            return  # disabled since, and its journal is closed
        if self._idle:  # else the thread is awake and looks again soon
            with self._changed:
                self._changed.notify_all()

    def flush(self, seconds: float = 30.0) -> None:
        """Return when everything acknowledged so far is in its table; `ApiError` 504, which says what is in the way, after `seconds`."""
        wanted = {writer: writer.journal.end for writer in list(self._writers.values())}
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: all(self._is_done(writer, end) for writer, end in wanted.items()), seconds)
            self._flushing -= 1
        if not done:
            late = [f"{w.log.table}: {w.failure or 'still writing'}" for w, end in wanted.items() if w.journal.committed < end]
            raise ApiError(504, "DEADLINE_EXCEEDED", f"not everything is in its inference table after {seconds:g} s: {'; '.join(late)}")

    def _is_done(self, writer: LogWriter, end: int) -> bool:
        return writer.journal.committed >= end or writer.log.log_id in self._dropped

    def _unfinished(self, endpoint_id: str, table: FullName) -> LogWriter | None:
        """Return the endpoint's own disabled log into `table`, if it has not made the table yet; 400 when the name is taken."""
        with self._changed:
            logs = [writer for writer in self._writers.values() if writer.log.table == str(table)]
        if DeltaPayloadTable(self._tables.table_folder(table), "").exists() or any(w.log.endpoint_id != endpoint_id for w in logs):
            message = f"Cannot enable the inference table: '{table}' already exists; drop or rename it, or choose another prefix"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        return logs[0] if logs else None

    def _open(self, inference_log: InferenceLog) -> LogWriter:
        writer = LogWriter(inference_log, Journal(self._folder / inference_log.log_id), self._tables, self._mover)
        try:
            folder = self._tables.table_folder(FullName.parse(inference_log.table))
            writer.catch_up(DeltaPayloadTable(folder, inference_log.application))
        except (*REFUSALS, ApiError) as error:
            writer.failure = str(error)
            log.warning("%s cannot be read: %s", inference_log.table, error)
        self._change(writer, inference_log)
        return writer

    def _change(self, writer: LogWriter, inference_log: InferenceLog) -> None:
        self._logs.put(inference_log.log_id, inference_log)
        with self._changed:
            writer.log = inference_log
            writer.agree(self._terms(inference_log))
            self._writers[inference_log.log_id] = writer
            if inference_log.enabled:
                self._current[inference_log.endpoint_id] = writer
            elif self._current.get(inference_log.endpoint_id) is writer:
                del self._current[inference_log.endpoint_id]

    def _terms(self, inference_log: InferenceLog) -> Terms:
        delivery = self._delivery
        return Terms(
            sampling_fraction=inference_log.sampling_fraction,
            duplicate_fraction=delivery.duplicate_fraction,
            lost_fraction=delivery.lost_fraction,
            seed=delivery.seed,
            databricks_output=self._databricks_output,
        )

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                self._idle = True  # before looking: whoever appends after the look sees it
                if not any(writer.waiting for writer in self._writers.values()):
                    self._changed.wait(RETRY_SECONDS)
                self._idle = False
                self._hold_back()
            if not self._write_all():
                with self._changed:
                    self._changed.wait(RETRY_SECONDS)
        self._write_all()

    def _hold_back(self) -> None:
        """Wait for more while calls pour in: large commits cost less, and serving needs the processor more than the tables do."""
        ends = -1
        for _ in range(int(HOLD_SECONDS / QUIET_SECONDS)):
            writers = self._writers.values()
            seen, ends = ends, sum(writer.journal.end for writer in writers)
            if self._closing or self._flushing or ends == seen or any(writer.waiting >= TAKE_CALLS for writer in writers):
                return
            self._changed.wait(QUIET_SECONDS)

    def _write_all(self) -> bool:
        """Write what is due and return whether no table refused."""
        for writer in list(self._writers.values()):
            self._write(writer)
        return all(writer.failure is None for writer in self._writers.values())

    def _write(self, writer: LogWriter) -> None:
        if writer.log.log_id in self._dropped:
            self._retire(writer)
            return
        failed_before = writer.failure
        more = True
        while more:
            awaited = self._closing or bool(self._flushing)
            moved = writer.write(self._until(), urgent=awaited or writer.waiting >= URGENT_CALLS)
            with self._changed:
                self._changed.notify_all()
            more = moved and (awaited or writer.waiting >= TAKE_CALLS)
        if writer.failure is not None and writer.failure != failed_before:  # once, not every half second
            log.error("rows of %s wait in the journal: %s", writer.log.table, writer.failure, extra={"log_id": writer.log.log_id})
        if not writer.log.enabled and not writer.waiting:
            self._retire(writer)

    def _until(self) -> int:
        """Return up to when received calls are due, in nanoseconds since 1970."""
        delay = self._delivery.delay_seconds
        if self._flushing or self._closing or not delay:
            return FOREVER
        return int((self._clock.now() - dt.timedelta(seconds=delay)).timestamp() * 1_000_000) * 1000

    def _retire(self, writer: LogWriter) -> None:
        with self._changed:
            if writer.log.enabled:  # again, meanwhile
                return
            self._writers.pop(writer.log.log_id, None)
        writer.journal.close()
        self._logs.delete(writer.log.log_id)
        shutil.rmtree(self._folder / writer.log.log_id)
        with self._changed:
            self._changed.notify_all()
