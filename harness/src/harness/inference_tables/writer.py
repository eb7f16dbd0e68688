"""One log's way from its journal into its table."""

import datetime as dt
import logging

import msgspec

from harness.inference_tables.journal import Journal
from harness.inference_tables.model import InferenceLog, PayloadRow
from harness.inference_tables.ports import PayloadTable

log = logging.getLogger(__name__)
BATCH_ROWS = 1000


class TableBlockedError(Exception):
    """The table cannot take rows: somebody else made it, or altered or broke it. The rows stay in the journal."""


class LogWriter:
    """Appends rows durably from any thread; `write` (one thread) moves them into the table, exactly once."""

    def __init__(self, inference_log: InferenceLog, journal: Journal, table: PayloadTable) -> None:
        self.log = inference_log
        self.journal = journal
        self._table = table
        self._decoder = msgspec.json.Decoder(PayloadRow)
        self.failure: str | None = None

    def append(self, row: PayloadRow) -> None:
        """Put `row` on disk; it will be in the table."""
        self.journal.append(msgspec.json.encode(row))

    @property
    def pending(self) -> bool:
        """Whether rows wait for their table."""
        return self.waiting > 0

    @property
    def waiting(self) -> int:
        """How many rows wait for their table."""
        return self.journal.end - self.journal.committed

    def catch_up(self) -> None:
        """Believe the table where it holds more than the journal knows: an earlier process died between the two."""
        held = self._table.rows_held()
        if held is not None and held > self.journal.committed:
            self.journal.commit(held)

    def write(self, until: dt.datetime) -> bool:
        """Commit one batch of rows received before `until`; return whether there was one.

        A crash between the table's commit and the journal's mark is healed by the count that the table keeps.
        """
        if not self.pending:
            return False
        held = self._rows_held()
        if held > self.journal.committed:
            self.journal.commit(held)
        batch = self.journal.take(BATCH_ROWS)
        rows = [self._decoder.decode(record) for record in batch.records]
        due = next((index for index, row in enumerate(rows) if row.request_time > until), len(rows))
        if due == 0:
            return False
        self._table.append(rows[:due], batch.first + due)
        self.journal.commit(batch.first + due)
        return True

    def create_table(self) -> None:
        """Make the table now, unless it is there."""
        self._rows_held()

    def _rows_held(self) -> int:
        held = self._table.rows_held()
        if held is not None:
            return held
        if self._table.exists():
            message = f"{self.log.table} exists and was not made by this endpoint's inference log; drop or rename it, rows wait until then"
            raise TableBlockedError(message)
        if self.journal.committed:
            # Assumption: the platform calls a dropped payload table corrupted and stops; here it is made again, with the rows to come.
            log.warning("%s was dropped after %d rows; it is created again", self.log.table, self.journal.committed)
        self._table.create()
        return 0
