"""Inference tables: every call to a served model becomes one row of its endpoint's payload table."""

import datetime as dt
import logging
import shutil
import threading

import pyarrow as pa
from deltalake.exceptions import DeltaError

from harness.clock import Clock
from harness.config import Layout
from harness.errors import ApiError
from harness.ids import Ids
from harness.inference_tables.delta_table import DeltaPayloadTable
from harness.inference_tables.journal import Journal
from harness.inference_tables.model import InferenceLog, payload_row, table_name
from harness.inference_tables.ports import TableFolders
from harness.inference_tables.writer import BATCH_ROWS, LogWriter, TableBlockedError
from harness.names import FullName
from harness.state import Documents, Store

log = logging.getLogger(__name__)
COMMIT_SECONDS = 0.5  # rows of one commit: those of half a second, or a full batch
RETRY_SECONDS = 0.5
REFUSALS = (TableBlockedError, ApiError, DeltaError, pa.ArrowException, OSError)  # why a table can refuse rows; they stay in the journal


class InferenceTables:
    """Keeps one log per endpoint that has its inference table enabled.

    `delay_seconds` is how long a row waits before its table shows it (the platform: minutes, up to an hour); `flush` does not wait for it.

    Assumption: the table is created by the first logged call ("after the first request", as the tutorial of the documentation says);
    `create_when_enabled` makes it when logging is enabled (the same page's other sentence).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        store: Store,
        layout: Layout,
        tables: TableFolders,
        delay_seconds: float = 0.0,
        create_when_enabled: bool = False,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._logs = Documents(store, "inference_log", InferenceLog)
        self._folder = layout.journal
        self._tables = tables
        self._delay = dt.timedelta(seconds=delay_seconds)
        self._create_when_enabled = create_when_enabled
        self._changed = threading.Condition()
        self._writers: dict[str, LogWriter] = {}  # by log id: whatever has a journal
        self._current: dict[str, LogWriter] = {}  # by endpoint id: what is enabled
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
        """Write what is due and stop; what cannot be written stays in the journals. Twice without harm."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        for writer in self._writers.values():
            writer.journal.close()

    def enable(self, endpoint_id: str, *, catalog: str, schema: str, prefix: str) -> str:
        """Log the endpoint's calls from now on, and return the table's name. Enabling the same again changes nothing.

        Assumption: a table of that name which this log did not make is refused with 400 (that it blocks is documented, the wording is not).
        """
        table = FullName.parse(table_name(catalog, schema, prefix))
        with self._logs.transaction():
            current = self._current.get(endpoint_id)
            if current is not None and current.log.table == str(table):
                return str(table)
            if DeltaPayloadTable(self._tables, table, "").exists():
                message = f"Cannot enable the inference table: '{table}' already exists; drop or rename it, or choose another prefix"
                raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
            self.disable(endpoint_id)
            inference_log = InferenceLog(log_id=self._ids.hex32(), endpoint_id=endpoint_id, table=str(table))
            self._logs.put(inference_log.log_id, inference_log)
            writer = self._open(inference_log)
        if self._create_when_enabled:
            writer.create_table()
        return str(table)

    def disable(self, endpoint_id: str) -> None:
        """Log nothing more for the endpoint; rows acknowledged before still reach their table."""
        with self._logs.transaction(), self._changed:
            writer = self._current.pop(endpoint_id, None)
            if writer is not None:
                ended = InferenceLog(log_id=writer.log.log_id, endpoint_id=endpoint_id, table=writer.log.table, enabled=False)
                self._logs.put(ended.log_id, ended)
                writer.log = ended

    def append(
        self,
        endpoint_id: str,
        *,
        databricks_request_id: str,
        received: dt.datetime,
        status_code: int,
        execution_duration_ms: int,
        request: bytes,
        response: bytes,
        served_entity_id: str,
        requester: str,
    ) -> None:
        """Have the call on disk when this returns, if the endpoint's calls are logged. OSError when the disk refuses it."""
        writer = self._current.get(endpoint_id)
        if writer is None:
            return
        row = payload_row(
            databricks_request_id=databricks_request_id,
            received=received,
            status_code=status_code,
            execution_duration_ms=execution_duration_ms,
            request=request,
            response=response,
            served_entity_id=served_entity_id,
            requester=requester,
        )
        writer.append(row)
        if self._idle or writer.waiting >= BATCH_ROWS:  # else the thread is awake and waits for more
            with self._changed:
                self._changed.notify_all()

    def flush(self, seconds: float = 30.0) -> None:
        """Return when everything acknowledged so far is in its table; `ApiError` 504, which says what is in the way, after `seconds`."""
        wanted = {writer: writer.journal.end for writer in list(self._writers.values())}
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: all(w.journal.committed >= end for w, end in wanted.items()), seconds)
            self._flushing -= 1
        if not done:
            late = [f"{w.log.table}: {w.failure or 'still writing'}" for w, end in wanted.items() if w.journal.committed < end]
            raise ApiError(504, "DEADLINE_EXCEEDED", f"not everything is in its inference table after {seconds:g} s: {'; '.join(late)}")

    def _open(self, inference_log: InferenceLog) -> LogWriter:
        table = DeltaPayloadTable(self._tables, FullName.parse(inference_log.table), inference_log.application)
        writer = LogWriter(inference_log, Journal(self._folder / inference_log.log_id), table)
        try:
            writer.catch_up()
        except REFUSALS as error:
            writer.failure = str(error)
            log.warning("%s cannot be read: %s", inference_log.table, error)
        with self._changed:
            self._writers[inference_log.log_id] = writer
            if inference_log.enabled:
                self._current[inference_log.endpoint_id] = writer
        return writer

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                self._idle = True  # before looking: whoever appends after the look sees it
                if not any(writer.pending for writer in self._writers.values()):
                    self._changed.wait(RETRY_SECONDS)
                self._idle = False
                self._changed.wait_for(self._worth_a_commit, COMMIT_SECONDS)
            if not self._write_all():
                with self._changed:
                    self._changed.wait(RETRY_SECONDS)
        self._write_all()

    def _worth_a_commit(self) -> bool:
        full = any(writer.waiting >= BATCH_ROWS for writer in self._writers.values())
        return full or self._closing or bool(self._flushing)

    def _write_all(self) -> bool:
        """Write what is due and return whether no table refused."""
        until = dt.datetime.max.replace(tzinfo=dt.UTC) if self._flushing or self._closing else self._clock.now() - self._delay
        for writer in list(self._writers.values()):
            self._write(writer, until)
            with self._changed:
                self._changed.notify_all()
        return all(writer.failure is None for writer in self._writers.values())

    def _write(self, writer: LogWriter, until: dt.datetime) -> None:
        try:
            while writer.write(until):
                pass
            writer.failure = None
        except REFUSALS as error:
            if writer.failure != str(error):  # once, not every half second
                log.exception("rows of %s wait in the journal", writer.log.table, extra={"log_id": writer.log.log_id})
            writer.failure = str(error)
            return
        if not writer.log.enabled and not writer.pending:
            self._retire(writer)

    def _retire(self, writer: LogWriter) -> None:
        with self._changed:
            self._writers.pop(writer.log.log_id, None)
        writer.journal.close()
        self._logs.delete(writer.log.log_id)
        shutil.rmtree(self._folder / writer.log.log_id)
