from collections.abc import Mapping
from typing import Any


def request_rows(body: Mapping[str, Any]) -> int | None:
    """Return how many rows a request body asks to score; None for tensors and other forms without rows."""
    split = body.get("dataframe_split")
    if isinstance(split, Mapping):
        return len(split.get("data", []))
    for key in ("dataframe_records", "instances", "inputs"):
        rows = body.get(key)
        if isinstance(rows, list):
            return len(rows)
        if isinstance(rows, Mapping):
            return next((len(column) for column in rows.values() if isinstance(column, list)), None)
    return None


def fault_in(answer: Mapping[str, Any], body: Mapping[str, Any]) -> str | None:
    """Return why `answer` is no usable answer to `body`; None when it is."""
    predictions = answer.get("predictions")
    if predictions is None:
        return f"the answer has no 'predictions', only {sorted(answer)}"
    if not isinstance(predictions, list):
        return None
    rows = request_rows(body)
    if rows is not None and len(predictions) != rows:
        return f"expected {rows} predictions, got {len(predictions)}"
    unusable = [index for index, value in enumerate(predictions) if value is None or value != value or value in _INFINITE]  # noqa: PLR0124 - NaN
    return f"prediction {unusable[0]} is {predictions[unusable[0]]}" if unusable else None


_INFINITE = (float("inf"), float("-inf"))
