"""`unpack` over batches of an inference table, as a function that Spark sends to its workers."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from monitoring_unpacker.schema import Schema
from monitoring_unpacker.unpacking import Payload, Quarantined, unpack

if TYPE_CHECKING:
    import pyarrow as pa

_ENVELOPE = (
    ("databricks_request_id", "STRING"),
    ("client_request_id", "STRING"),
    ("request_time", "TIMESTAMP"),
    ("request_date", "DATE"),
    ("status_code", "INT"),
    ("served_entity_id", "STRING"),
)
_OUTCOME = (("row_index", "INT"), ("reason", "STRING"), ("request", "STRING"), ("response", "STRING"))


def output_ddl(schema: Schema) -> str:
    """Return the columns that the function gives: whose row it is, its index or the reason, the texts beside a reason, the data."""
    return ", ".join(f"`{name.replace('`', '``')}` {sql_type}" for name, sql_type in _columns(schema))


def unpacker(schema: Schema) -> "Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]":
    """Return the function for `DataFrame.mapInArrow`: one row per scored row, one with a reason per quarantined request."""

    def unpack_batches(batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
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
        arrow_schema = pa.schema([(name, kinds[sql_type]) for name, sql_type in _columns(schema)])
        for batch in batches:
            for logged in batch.to_pylist():
                yield pa.RecordBatch.from_pylist(unpacked_rows(logged, schema), schema=arrow_schema)

    return unpack_batches


def unpacked_rows(logged: dict[str, Any], schema: Schema) -> list[dict[str, Any]]:
    """Return the rows that one logged request becomes."""
    envelope = {name: logged[name] for name, _ in _ENVELOPE}
    result = unpack(Payload(logged["status_code"], logged["request"], logged["response"]), schema)
    if isinstance(result, Quarantined):
        return [{**envelope, "reason": result.reason, "request": logged["request"], "response": logged["response"]}]
    return [{**row, **envelope, "row_index": index} for index, row in enumerate(result)]


def send_by_value() -> None:
    """Let Spark's workers have this package's code with the function: they need not have the wheel."""
    from pyspark import cloudpickle

    import monitoring_unpacker

    cloudpickle.register_pickle_by_value(monitoring_unpacker)


def _columns(schema: Schema) -> list[tuple[str, str]]:
    return [*_ENVELOPE, *_OUTCOME, *((field.name, field.type) for field in (*schema.columns, schema.prediction))]
