from collections.abc import Mapping, Sequence
from json import dumps
from typing import Any, Final

from monitoring_unpacker.unpacking import Payload

PACKINGS: Final = ("dataframe_split", "dataframe_split with index", "dataframe_records", "inputs by column", "inputs by row", "instances")
"""The ways in which clients send the same rows."""


def pack(rows: Sequence[Mapping[str, Any]], *, packing: str = "dataframe_split") -> Payload:
    """Return what an inference table logs when these rows are scored; `unpack` gives them back.

    Args:
        rows: records with features, key and `prediction`, all with the same columns; at least one.
        packing: one of `PACKINGS`.
    """
    sent = [{name: value for name, value in row.items() if name != "prediction"} for row in rows]
    response = {"predictions": [row["prediction"] for row in rows], "databricks_output": {"trace": None}}
    return Payload(200, dumps(_body(sent, packing)), dumps(response))


def _body(rows: Sequence[Mapping[str, Any]], packing: str) -> dict[str, Any]:
    columns = list(rows[0])
    if packing.startswith("dataframe_split"):
        index = {"index": list(range(len(rows)))} if packing.endswith("index") else {}
        return {"dataframe_split": {**index, "columns": columns, "data": [[row[name] for name in columns] for row in rows]}}
    if packing == "inputs by column":
        return {"inputs": {name: [row[name] for row in rows] for name in columns}}
    return {packing.removesuffix(" by row"): list(rows)}
