from collections.abc import Mapping, Sequence
from json import loads
from typing import Any

# Exactly one of these is in a body that the scoring server takes: mlflow/pyfunc/scoring_server, docs score-custom-model-endpoints.
FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Unreadable(ValueError):  # noqa: N818 - a finding about a logged text, not a fault of ours
    """Why a logged text cannot be unpacked, in words for the quarantine table."""


def parse(text: Any, what: str) -> Mapping[str, Any]:
    """Return the JSON object in a logged text; NaN and Infinity are taken, the model servers write them."""
    if text is None:
        raise Unreadable(f"{what} is NULL (not logged, or above 1 MiB)")
    try:
        body = loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{what} is not JSON: {type(error).__name__}") from error
    if not isinstance(body, dict):
        raise Unreadable(f"{what} is a JSON {type(body).__name__}, expected an object")
    return body


def request_records(body: Mapping[str, Any], names: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return one record per row of a request, whatever format it came in.

    Args:
        body: the request.
        names: the model's input names, for formats that send values by position.
    """
    found = [name for name in FORMATS if name in body]
    if len(found) != 1:
        raise Unreadable(f"request has {' and '.join(found) or 'none'} of {', '.join(FORMATS)}, expected exactly one")
    name = found[0]
    content = body[name]
    if name == "dataframe_split":
        return _split(content, names)
    if isinstance(content, list):
        return [_record(row, names, name) for row in content]
    if name == "inputs":
        return _columns(content, names) if isinstance(content, dict) else [_record(content, names, name)]
    raise Unreadable(f"{name} is a JSON {type(content).__name__}, expected an array")


def predictions(body: Mapping[str, Any], *, rows: int, output: str | None) -> list[Any]:
    """Return one prediction per row of the answer, whatever the model returned.

    Args:
        body: the answer.
        rows: how many rows the request had.
        output: the model's output column, where it is named.
    """
    found = [name for name in ("predictions", "outputs") if name in body]  # outputs: feature serving
    if not found:
        raise Unreadable(f"response has no predictions, only {', '.join(map(str, body)) or 'nothing'}")
    content = body[found[0]]
    if isinstance(content, dict) and content and all(isinstance(column, list) and len(column) == rows for column in content.values()):
        content = [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]
    if not isinstance(content, list):
        content = [content]
    if len(content) != rows:
        raise Unreadable(f"response has {len(content)} predictions for {rows} rows")
    return [_single(value, output) for value in content]


def _split(content: Any, names: Sequence[str]) -> list[Mapping[str, Any]]:
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise Unreadable("dataframe_split is no object with an array 'data'")
    columns = content.get("columns")
    if columns is None:
        columns = names
    if not isinstance(columns, list | tuple) or not all(isinstance(column, str | int | float) for column in columns):
        raise Unreadable("dataframe_split has columns that are no array of names")
    columns = [str(column) for column in columns]
    if len(set(columns)) != len(columns):
        raise Unreadable("dataframe_split names a column twice")
    return [_positional(row, columns, "dataframe_split") for row in content["data"]]


def _columns(content: Mapping[str, Any], names: Sequence[str]) -> list[Mapping[str, Any]]:
    lengths = {len(column) for column in content.values() if isinstance(column, list)}
    if not lengths:
        return [_record(content, names, "inputs")]
    if len(lengths) > 1 or not all(isinstance(column, list) for column in content.values()):
        raise Unreadable("inputs has columns of unequal lengths")
    return [dict(zip(content, row, strict=True)) for row in zip(*content.values(), strict=True)]


def _record(row: Any, names: Sequence[str], what: str) -> Mapping[str, Any]:
    if isinstance(row, dict):
        return row
    if what == "dataframe_records":
        raise Unreadable(f"dataframe_records has a row that is a JSON {type(row).__name__}, expected an object")
    return _positional(row if isinstance(row, list) else [row], names, what)


def _positional(row: Any, columns: Sequence[str], what: str) -> Mapping[str, Any]:
    if not isinstance(row, list) or len(row) != len(columns):
        found = len(row) if isinstance(row, list) else f"a JSON {type(row).__name__} instead of"
        raise Unreadable(f"{what} has a row of {found} values for {len(columns)} columns")
    return dict(zip(columns, row, strict=True))


def _single(value: Any, output: str | None) -> Any:
    """Return the one value in a record (`{"0": 3.5}`, a Series) or in a nested list (`[3.5]`, a column vector)."""
    if isinstance(value, dict):
        if output is not None and output in value:
            return value[output]
        return next(iter(value.values())) if len(value) == 1 else value
    return value[0] if isinstance(value, list) and len(value) == 1 else value
