"""One log's way from its endpoint into its table."""

from collections.abc import Sequence

from harness.errors import ApiError
from harness.inference_tables.journal import Journal
from harness.inference_tables.model import Call, InferenceLog
from harness.inference_tables.ports import FOREVER, Moved, Mover, Order, PayloadTable, TableFolders
from harness.inference_tables.records import Terms, drawn, record
from harness.names import FullName


class LogWriter:
    """Notes calls durably from any thread; `write` (one thread) has them moved into the table, exactly once."""

    def __init__(self, log: InferenceLog, journal: Journal, tables: TableFolders, mover: Mover) -> None:
        self.log = log
        self.journal = journal
        self.failure: str | None = None
        self._tables = tables
        self._mover = mover
        self.agree(Terms())

    def agree(self, terms: Terms) -> None:
        """Note calls under these terms from now on."""
        self._sampling_fraction = terms.sampling_fraction
        self._packed = terms.packed()

    def append(self, calls: Sequence[Call]) -> None:
        """Have those of `calls` that the sample takes on disk when this returns."""
        fraction = self._sampling_fraction
        if fraction < 1:
            calls = [call for call in calls if drawn(fraction, call.databricks_request_id)]
        if calls:
            self.journal.append(record(self._packed, calls), len(calls))

    @property
    def waiting(self) -> int:
        """How many calls wait for their table."""
        return self.journal.end - self.journal.committed

    def catch_up(self, table: PayloadTable) -> None:
        """Believe `table` where it holds more than the journal knows: new calls have the numbers after those."""
        held = table.calls_held()
        if held is not None and held > self.journal.committed:
            self.journal.commit(held)

    def write(self, until_ns: int, *, urgent: bool = False) -> bool:
        """Have one batch of calls received before `until_ns` committed; return whether there was one, `failure` says why not."""
        if not self.waiting:
            self.failure = None
            return False
        before = self.journal.committed
        moved = self._move(until_ns, self.journal.end, urgent=urgent)
        self.failure = moved.failure
        if moved.held > before:
            self.journal.commit(moved.held)
        return moved.held > before and moved.failure is None

    def create_table(self) -> None:
        """Make the table now, unless it is there."""
        self.failure = self._move(FOREVER, self.journal.committed, urgent=True).failure

    def _move(self, until_ns: int, end: int, *, urgent: bool) -> Moved:
        journal = self.journal
        try:
            folder = self._tables.table_folder(FullName.parse(self.log.table))
        except ApiError as error:  # its schema is gone
            return Moved(journal.committed, error.message)
        order = Order(
            journal=str(journal.folder),
            committed=journal.committed,
            end=end,
            until_ns=until_ns,
            folder=str(folder),
            table=self.log.table,
            application=self.log.application,
            urgent=urgent,
        )
        return self._mover.move(order)
