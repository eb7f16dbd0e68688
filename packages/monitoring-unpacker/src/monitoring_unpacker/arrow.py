"""`unpack` over batches of an inference table, as a function that Spark sends to its workers."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from monitoring_unpacker.batches import BatchUnpacker
from monitoring_unpacker.envelope import ENVELOPE
from monitoring_unpacker.versions import Reading

if TYPE_CHECKING:
    import pyarrow as pa

_OUTCOME = (("row_index", "INT"), ("reason", "STRING"), ("request", "STRING"), ("response", "STRING"))


def output_ddl(reading: Reading) -> str:
    """Return the columns that the function gives: whose row it is, its index or the reason, the texts beside a reason, the data."""
    return ", ".join(f"`{name.replace('`', '``')}` {sql_type}" for name, sql_type in _columns(reading))


def unpacker(reading: Reading) -> "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]":
    """Return the function for `DataFrame.mapInArrow`: one row per scored row, one with a reason per quarantined request."""

    def unpack_batches(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        unpacking = BatchUnpacker(reading, arrow_schema(reading))
        for batch in batches:
            yield from unpacking.unpacked(batch)

    return unpack_batches


def arrow_schema(reading: Reading) -> "pa.Schema":
    """Return the columns that the function gives, as Arrow types."""
    import pyarrow as pa

    kinds = {
        "BOOLEAN": pa.bool_(),
        "INT": pa.int32(),
        "BIGINT": pa.int64(),
        "DOUBLE": pa.float64(),
        "STRING": pa.string(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, kinds[sql_type]) for name, sql_type in _columns(reading)])


def send_by_value() -> None:
    """Let Spark's workers have this package's code with the function: they need not have the wheel."""
    from pyspark import cloudpickle

    import monitoring_unpacker

    cloudpickle.register_pickle_by_value(monitoring_unpacker)


def _columns(reading: Reading) -> list[tuple[str, str]]:
    return [*ENVELOPE, *_OUTCOME, *((field.name, field.type) for field in reading.outcome)]
