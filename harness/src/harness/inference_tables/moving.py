"""From a journal into a table: one commit, exactly once whoever dies when."""

import fcntl
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import DeltaError

from harness.inference_tables.columns import payload_rows
from harness.inference_tables.delta_table import DeltaPayloadTable
from harness.inference_tables.journal import Reader, Record
from harness.inference_tables.ports import FOREVER, Moved, Order, PayloadTable
from harness.inference_tables.records import read

log = logging.getLogger(__name__)


class TableBlockedError(Exception):
    """The table cannot take rows: somebody else made it, or altered or broke it. The calls stay in the journal."""


REFUSALS = (TableBlockedError, DeltaError, pa.ArrowException, OSError)  # why a table can refuse rows


class HereMover:
    """Moves in the process that asks: nothing to start, but its threads compete with the caller's."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def move(self, order: Order) -> Moved:
        """Commit once."""
        reader = self._readers.setdefault(order.journal, Reader(Path(order.journal)))
        return move(order, reader, DeltaPayloadTable(Path(order.folder), order.application))

    def close(self) -> None:
        """Forget how far journals were read."""
        self._readers.clear()


def move(order: Order, reader: Reader, table: PayloadTable) -> Moved:
    """Commit what is due of the journal to `table`, at most one batch, and return how many calls it holds then.

    A crash between the table's commit and the journal's mark is healed by the count that the table keeps.
    """
    held = order.committed
    try:
        if order.until_ns < FOREVER and next(_due(order, reader, held), None) is None:
            return Moved(held)
        with _alone(Path(order.journal)):
            held = max(held, _held(order, table))
            end = held

            def bodies() -> Iterator[bytes]:  # one at a time: what is read, decoded and freed in turn stays in the processor's cache
                nonlocal end
                for record in _due(order, reader, held):
                    end = record.end
                    yield record.body

            rows = payload_rows(bodies())
            if end > held:
                table.append(rows, end)
                held = end
                table.tidy()
    except REFUSALS as error:
        return Moved(held, str(error) or repr(error))
    except Exception as error:  # whatever it is about this table, the others are written by the same thread
        log.exception("%s cannot be written", order.table)
        return Moved(held, repr(error))
    return Moved(held)


def _due(order: Order, reader: Reader, held: int) -> Iterator[Record]:
    """Return the next records up to the first with a call that has to wait."""
    records = reader.take(held, order.end)
    if order.until_ns >= FOREVER:
        return records
    return itertools.takewhile(lambda record: all(call[1] <= order.until_ns for call in read(record.body)[1]), records)


def _held(order: Order, table: PayloadTable) -> int:
    held = table.calls_held()
    if held is not None:
        return held
    if table.exists():
        message = f"{order.table} exists and was not made by this endpoint's inference log; drop or rename it, rows wait until then"
        raise TableBlockedError(message)
    if order.committed:
        # Assumption: the platform calls a dropped payload table corrupted and stops; here it is made again, with the rows to come.
        log.warning("%s was dropped after %d rows; it is created again", order.table, order.committed)
    table.create()
    return 0


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """Let only one process move out of a journal: one that a killed harness left behind may still be committing."""
    with (journal / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
