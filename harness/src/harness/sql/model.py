"""Statements: what is asked, what comes of it. Names and enums: databricks-sdk 0.156.0, `databricks.sdk.service.sql`."""

from dataclasses import dataclass
from typing import Literal

import msgspec

State = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "CLOSED"]
Format = Literal["JSON_ARRAY", "ARROW_STREAM", "CSV"]
Disposition = Literal["INLINE", "EXTERNAL_LINKS", "INLINE_OR_EXTERNAL_LINKS"]
ENDED: frozenset[State] = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "CLOSED"})


class Parameter(msgspec.Struct, frozen=True):
    """The value of a marker `:name`, as text; none is NULL. `type` is a SQL type, STRING when none is given."""

    name: str
    value: str | None = None
    type: str = "STRING"


class ExecuteRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of execute."""

    statement: str
    warehouse_id: str
    catalog: str | None = None
    schema: str | None = None
    parameters: tuple[Parameter, ...] = ()
    format: Format = "JSON_ARRAY"
    disposition: Disposition = "INLINE"
    wait_timeout: str = "10s"
    on_wait_timeout: Literal["CONTINUE", "CANCEL"] = "CONTINUE"
    row_limit: int | None = None
    byte_limit: int | None = None
    query_tags: tuple[dict[str, str | None], ...] = ()
    session_id: str | None = None
    result_compression: Literal["LZ4_FRAME", "NONE"] | None = None
    """What the client can read; results are not compressed, which no manifest says they are."""


class CreateSessionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a session's creation: where its statements begin, and settings by the platform's names."""

    warehouse_id: str
    catalog: str | None = None
    schema: str | None = None
    session_confs: dict[str, str] = {}


class ColumnInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of a result."""

    name: str
    position: int
    type_name: str
    type_text: str
    type_precision: int | None = None
    type_scale: int | None = None
    type_interval_type: str | None = None


class ServiceError(msgspec.Struct, frozen=True):
    """Why a statement failed."""

    error_code: str
    message: str


class StatementStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a statement stands."""

    state: State
    error: ServiceError | None = None
    sql_state: str | None = None


class StatementFailedError(Exception):
    """The engine refuses a statement, or fails at it."""

    def __init__(self, message: str, sql_state: str | None = None) -> None:
        super().__init__(message)
        self.sql_state = sql_state


@dataclass(frozen=True, slots=True)
class Query:
    """What the engine is asked."""

    statement: str
    catalog: str | None
    schema: str | None
    parameters: tuple[Parameter, ...]
    row_limit: int | None
    session: str | None
    """The session that it is part of; none for one of its own."""
    as_text: bool
    """Whether each value is wanted as the text that SQL makes of it, or as it is."""
