"""SQL statements in sessions of the Spark engine."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from harness.sql.model import ColumnInfo, Query, StatementFailedError

# Spark's name of a type: the platform's `type_name`.
_TYPE_NAMES: Mapping[str, str] = {
    "tinyint": "BYTE",
    "smallint": "SHORT",
    "int": "INT",
    "bigint": "LONG",
    "void": "NULL",
    "timestamp_ntz": "TIMESTAMP",  # Assumption: the enum has no other for it; `type_text` tells them apart
}
_NESTED = ("array", "map", "struct", "variant")


@dataclass(frozen=True, slots=True)
class SparkStatements:
    """The engine at `remote()`. `catalog` and `schema` are where a statement that names none begins."""

    remote: Callable[[], str]
    catalog: str = "main"
    schema: str = "default"
    _sessions: dict[str, Any] = field(default_factory=dict)

    def begin(self, query: Query) -> "SparkStatement":
        """Return the execution of a statement."""
        return SparkStatement(self, query)

    def open(self, session: str, *, catalog: str | None, schema: str | None, confs: Mapping[str, str]) -> None:
        """Begin a session that several statements share."""
        opened = self.session(catalog, schema, confs)
        self._sessions[session] = opened

    def close(self, session: str) -> None:
        """End a session and what runs in it; twice without harm."""
        opened = self._sessions.pop(session, None)
        if opened is not None:
            opened.interruptAll()
            opened.stop()

    def opened(self, session: str) -> Any:
        """Return an open session."""
        try:
            return self._sessions[session]
        except KeyError as error:
            raise StatementFailedError("The session was closed.") from error

    def session(self, catalog: str | None, schema: str | None, confs: Mapping[str, str]) -> Any:
        """Return a new session of the engine that stands at a schema, or raise `StatementFailedError`."""
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        session = SparkSession.builder.remote(self.remote()).create()
        try:
            for name, value in {"spark.sql.session.timeZone": "UTC", **confs}.items():
                session.conf.set(name, value)
            session.sql(f"USE CATALOG {_quoted(catalog or self.catalog)}")
            session.sql(f"USE SCHEMA {_quoted(schema or self.schema)}")
        except PySparkException as error:
            session.stop()
            raise failed(error) from error
        return session


@dataclass(slots=True)
class SparkStatement:
    """One statement, in a session of its own."""

    engine: SparkStatements
    query: Query
    _session: Any = None
    _cancelled: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _tag(self) -> str:
        """What its operations are known by; of those that run, no two have the same."""
        return f"statement-{id(self)}"

    def result(self) -> tuple[tuple[ColumnInfo, ...], pa.Table]:
        """Execute it and return its columns and rows."""
        with self._opened() as session:
            frame = self._frame(session)
            columns = tuple(_column(field_, position) for position, field_ in enumerate(frame.schema.fields))
            unique = frame.toDF(*(f"_{position}" for position in range(len(columns))))  # two columns may have one name
            if self.query.row_limit is not None:
                unique = unique.limit(self.query.row_limit + 1)
            if self.query.as_text:
                unique = unique.selectExpr(*(_text(f"_{at}", field_.dataType) for at, field_ in enumerate(frame.schema.fields)))
            return columns, unique.toArrow()

    def cancel(self) -> None:
        """End it, also before it has begun."""
        with self._lock:
            self._cancelled = True
            if self._session is not None:
                self._session.interruptTag(self._tag)

    def _frame(self, session: Any) -> Any:
        if self.query.session is not None and self.query.catalog is not None:
            session.sql(f"USE CATALOG {_quoted(self.query.catalog)}")
        if self.query.session is not None and self.query.schema is not None:
            session.sql(f"USE SCHEMA {_quoted(self.query.schema)}")
        return session.sql(self.query.statement, args=self._values(session) or None)

    def _values(self, session: Any) -> dict[str, Any]:
        """Return the parameters as typed literals, cast by Spark: its `args` take no casts."""
        from pyspark.sql import functions as sql
        from pyspark.sql.connect.column import Column
        from pyspark.sql.connect.expressions import LiteralExpression

        parameters = self.query.parameters
        if not parameters:
            return {}
        row = session.range(1).select(*(sql.lit(each.value).cast(each.type).alias(each.name) for each in parameters))
        values, types = row.collect()[0], [each.dataType for each in row.schema.fields]
        typed = zip(parameters, values, types, strict=True)
        return {each.name: Column(LiteralExpression(value, kind)) for each, value, kind in typed}

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        from pyspark.errors import PySparkException

        if self._cancelled:
            raise StatementFailedError("The statement was cancelled before it began.")
        shared = self.query.session
        session = self.engine.session(self.query.catalog, self.query.schema, {}) if shared is None else self.engine.opened(shared)
        with self._lock:
            self._session = session
        session.addTag(self._tag)
        try:
            if self._cancelled:
                raise StatementFailedError("The statement was cancelled before it began.")
            yield session
        except PySparkException as error:
            raise failed(error) from error
        finally:
            with self._lock:
                self._session = None
            session.removeTag(self._tag)
            if shared is None:
                session.stop()


def failed(error: Any) -> StatementFailedError:
    """Return what Spark's error says, without the JVM's stack."""
    return StatementFailedError(_first_lines(str(error)), error.getSqlState())


def _column(field_: Any, position: int) -> ColumnInfo:
    from pyspark.sql.types import DecimalType

    kind = field_.dataType
    simple = kind.simpleString()
    head = simple.split("(")[0].split("<")[0]
    is_decimal = isinstance(kind, DecimalType)
    is_interval = simple.startswith("interval")
    return ColumnInfo(
        name=field_.name,
        position=position,
        type_name="INTERVAL" if is_interval else _TYPE_NAMES.get(head, head.upper()),
        type_text=simple if "<" in simple and head == "struct" else simple.upper(),
        type_precision=kind.precision if is_decimal else None,
        type_scale=kind.scale if is_decimal else None,
        type_interval_type=simple.removeprefix("interval ").upper() if is_interval else None,
    )


def _text(name: str, kind: Any) -> str:
    """Return the expression of a column's text. Assumption: instants in ISO 8601 with milliseconds, nested values as JSON."""
    simple = kind.simpleString()
    if simple.startswith(_NESTED):
        return f"to_json({name}) AS {name}"
    if simple == "timestamp":
        return f"date_format({name}, \"yyyy-MM-dd'T'HH:mm:ss.SSS'Z'\") AS {name}"
    if simple == "timestamp_ntz":
        return f"date_format({name}, \"yyyy-MM-dd'T'HH:mm:ss.SSS\") AS {name}"
    if simple == "binary":
        return f"base64({name}) AS {name}"
    return f"CAST({name} AS STRING) AS {name}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _first_lines(message: str) -> str:
    """Return an error without the JVM's stack."""
    return message.split("\n\nJVM stacktrace:", maxsplit=1)[0].strip()
