"""`ai_query` without Spark or HTTP: its arguments, its errors, its request bodies, what an endpoint's OpenAPI says of its types."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

T = TypeVar("T")

PARAMETERS = ("endpoint", "request", "returnType", "failOnError", "modelParameters", "responseFormat", "files")

# Assumption: how many rows travel in one request is not documented. Half of one of Spark's batches (10,000): what a request costs beside
# its rows matters no more, and a model is not busy with one for so long that its other callers notice.
ROWS_PER_REQUEST = 5000
# A larger body goes in halves: an inference table keeps no text over 1 MiB (docs.databricks.com, AI Gateway inference tables, limitations).
MAX_LOGGED_BYTES = 1 << 20

_encode = msgspec.json.Encoder(decimal_format="number").encode


class AiQueryError(Exception):
    """An error of the platform's `ai_query`: condition, SQLSTATE and message, printed as Spark prints its own."""

    def __init__(self, condition: str, sql_state: str, message: str) -> None:
        super().__init__(condition, sql_state, message)  # all three, so that it survives pickling
        self.condition = condition
        self.sql_state = sql_state
        self.message = message

    def __str__(self) -> str:
        return f"[{self.condition}] {self.message} SQLSTATE: {self.sql_state}"


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a Python worker must know to score rows."""

    harness_url: str
    token: str
    endpoint: str
    column: str | int  # the input's name when the request is one value and not a struct
    return_type: str  # of one row, as Spark's JSON
    fail_on_error: bool = True
    rows_per_request: int = ROWS_PER_REQUEST
    in_flight: int = 4
    retries: int = 10  # the number in REMOTE_FUNCTION_HTTP_RETRY_TIMEOUT's message
    backoff_seconds: float = 0.2


def bind(arguments: Sequence[tuple[str | None, T]], text: Callable[[T], str | None]) -> dict[str, T]:
    """Return the arguments by parameter name; `arguments` are (name or None, value) as written, `text` gives a string literal's text.

    The third positional argument is returnType, unless it is a parameter's name: then the rest are names and values in turn (the old form).
    """
    positional = [value for name, value in arguments if name is None]
    bound: dict[str, T] = dict(zip(PARAMETERS, positional, strict=False))
    if len(positional) > 3 and _parameter(text(positional[2])) is not None:
        bound = dict(zip(PARAMETERS[:2], positional[:2], strict=True))
        for key, value in zip(positional[2::2], positional[3::2], strict=False):
            _assign(bound, text(key), value)
    elif len(positional) > len(PARAMETERS):
        raise _wrong_number(len(positional))
    for name, value in arguments:
        if name is not None:
            _assign(bound, name, value)
    if "endpoint" not in bound or "request" not in bound:
        raise _wrong_number(len(arguments))
    return bound


def _parameter(name: str | None) -> str | None:
    matching = [parameter for parameter in PARAMETERS if name is not None and parameter.lower() == name.lower()]
    return matching[0] if matching else None


def _assign(bound: dict[str, T], name: str | None, value: T) -> None:
    parameter = _parameter(name)
    if parameter is None:
        message = f"Cannot invoke function `ai_query` because it has no parameter `{name}`; expected one of {', '.join(PARAMETERS)}."
        raise AiQueryError("UNRECOGNIZED_PARAMETER_NAME", "4274K", message)
    if parameter in bound:
        message = f"Call to function `ai_query` is invalid because it assigns the parameter `{parameter}` twice."
        raise AiQueryError("DUPLICATE_ROUTINE_PARAMETER_ASSIGNMENT", "4274K", message)
    bound[parameter] = value


def _wrong_number(count: int) -> AiQueryError:
    message = f"The `ai_query` requires an endpoint and a request, and at most {len(PARAMETERS)} arguments; found {count}."
    return AiQueryError("WRONG_NUM_ARGS", "42605", message)


def http_failed(status: int, body: str) -> AiQueryError:
    """Return the error of a request that must not be tried again."""
    message = f"The remote HTTP request failed with code {status}, and error message 'HTTP request failed with status: {body}'"
    return AiQueryError("REMOTE_FUNCTION_HTTP_FAILED_ERROR", "57012", message)


def retry_timeout(retries: int, status: object) -> AiQueryError:
    """Return the error of a request that failed to the last try."""
    message = f"The remote request failed after retrying {retries} times; the last failed HTTP error code was {status}"
    return AiQueryError("REMOTE_FUNCTION_HTTP_RETRY_TIMEOUT", "57012", message)


def result_error(message: str) -> AiQueryError:
    """Return the error of an answer that does not fit the return type."""
    return AiQueryError("REMOTE_FUNCTION_HTTP_RESULT_PARSE_ERROR", "2203G", f"Failed to parse the result: {message}")


def schema_error(endpoint: str, reason: str, document: str) -> AiQueryError:
    """Return the error of an endpoint whose OpenAPI document does not tell its types."""
    message = f'Failed to parse the schema for the serving endpoint "{endpoint}": {reason}, response JSON was: "{document}"'
    return AiQueryError("AI_FUNCTION_MODEL_SCHEMA_PARSE_ERROR", "2203G", message)


def model_parameters_error(endpoint: str) -> AiQueryError:
    """Return the error of modelParameters given to a custom model."""
    message = f"The provided model parameters are invalid: the serving endpoint {endpoint} serves a custom model, which takes none."
    return AiQueryError("AI_FUNCTION_INVALID_MODEL_PARAMETERS.UNSUPPORTED_ENDPOINT_TYPE", "22023", message)


def request_body(columns: Sequence[str | int], rows: Sequence[Sequence[object]]) -> bytes:
    """Return the invocation's body: NULL and NaN are null, times are ISO texts, decimals are numbers."""
    return _encode({"dataframe_split": {"columns": columns, "data": rows}})


def pieces(count: int, size: int) -> Iterator[slice]:
    """Return the slices of at most `size` that cover `count` rows, in order."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def halves(rows: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return the two halves in which a refused request is tried again, to find the rows at fault."""
    middle = len(rows) // 2
    return rows[:middle], rows[middle:]


def first_input(document: str) -> str | int:
    """Return the name of the endpoint's first input column; 0 (an unnamed column) when the document names none."""
    try:
        schemas = _operation(json.loads(document))["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
        records = next(schema["properties"]["dataframe_records"] for schema in schemas if "dataframe_records" in schema["properties"])
        return str(next(iter(records["items"]["properties"])))
    except (KeyError, TypeError, ValueError, StopIteration):
        return 0


def return_type(endpoint: str, document: str) -> str:
    """Return the DDL of one prediction, from the endpoint's OpenAPI document, or raise AI_FUNCTION_MODEL_SCHEMA_PARSE_ERROR."""
    try:
        schema = _operation(json.loads(document))["responses"]["200"]["content"]["application/json"]["schema"]
        return _ddl(schema["properties"]["predictions"]["items"])
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise schema_error(endpoint, f"no type of the predictions ({error!r}); give returnType", document) from error


def _operation(document: dict[str, dict[str, dict[str, dict]]]) -> dict:  # type: ignore[type-arg] # JSON of any shape; what is missing is a KeyError
    return next(iter(document["paths"].values()))["post"]


_SCALARS = {
    ("boolean", None): "BOOLEAN",
    ("integer", None): "BIGINT",
    ("integer", "int32"): "INT",
    ("integer", "int64"): "BIGINT",
    ("number", None): "DOUBLE",
    ("number", "double"): "DOUBLE",
    ("number", "float"): "FLOAT",
    ("string", None): "STRING",
    ("string", "date"): "DATE",
    ("string", "date-time"): "TIMESTAMP",
    ("string", "datetime"): "TIMESTAMP",
    ("string", "byte"): "BINARY",
    ("string", "binary"): "BINARY",
}


def _ddl(schema: dict) -> str:  # type: ignore[type-arg] # JSON of any shape; what is missing is a KeyError
    kind = schema["type"]
    if kind == "array":
        return f"ARRAY<{_ddl(schema['items'])}>"
    if kind == "object":
        fields = [f"`{name}`: {_ddl(field)}" for name, field in schema["properties"].items()]
        # Assumption: one named output column is that column's type, several are a struct.
        return _ddl(next(iter(schema["properties"].values()))) if len(fields) == 1 else f"STRUCT<{', '.join(fields)}>"
    return _SCALARS[kind, schema.get("format")]
