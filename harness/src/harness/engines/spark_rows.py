"""Rows of a table with SQL expressions beside them, by Spark itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from harness.errors import UserError
from harness.names import FullName

# Assumption: what a metric cannot compute in a row, such as a division by zero, is NULL there and fails no refresh.
_LENIENT = {"spark.sql.ansi.enabled": "false"}


@dataclass(frozen=True, slots=True)
class SparkRows:
    """Asks the engine at `remote()`, in a session of its own each time."""

    remote: Callable[[], str]

    def rows(self, table: FullName, version: int, expressions: Sequence[str], where: str = "") -> pa.Table:
        """Return the table's columns at `version` and behind them each expression's value as text, of rows `where` one more holds."""
        texts = [f"CAST(({expression}) AS STRING) AS `expression {number}`" for number, expression in enumerate(expressions)]
        with self._session() as session:
            return session.sql(_select(table, version, where=where)).selectExpr("*", *texts).toArrow()

    def groups(
        self, table: FullName, version: int, *, keys: Mapping[str, str], sets: Sequence[Sequence[str]], figures: Sequence[str],
        where: str = "",
    ) -> pa.Table:  # fmt: skip
        """Return aggregate expressions of the rows at `version`, grouped in several ways: see `harness.monitoring.ports`."""
        named = {name: f"__key_{number}" for number, name in enumerate(keys)}
        inner = "".join(f", ({expression}) AS {named[name]}" for name, expression in keys.items())
        chosen = [f"{alias} AS `{name}`" for name, alias in named.items()]
        flags = [f"grouping({alias}) AS `in_{name}`" for name, alias in named.items()]
        results = [f"{figure} AS `figure_{number}`" for number, figure in enumerate(figures)]
        ways = ", ".join(f"({', '.join(named[name] for name in each)})" for each in sets)
        grouped = f" GROUP BY GROUPING SETS ({ways})" if keys else ""
        source = _select(table, version, inner, where)
        with self._session(**_LENIENT) as session:
            found = session.sql(f"SELECT {', '.join([*chosen, *flags, *results])} FROM ({source}){grouped}").toArrow()  # noqa: S608 - the user's own SQL over the user's own table
        numbers = {frozenset(each): number for number, each in enumerate(sets)}
        rows = found.select([f"in_{name}" for name in keys]).to_pylist() if keys else [{}] * found.num_rows
        which = [numbers[frozenset(name for name in keys if not row[f"in_{name}"])] for row in rows]
        return found.drop_columns([f"in_{name}" for name in keys]).append_column("set", pa.array(which, pa.int64()))

    def evaluate(self, rows: pa.Table, expressions: Sequence[str]) -> pa.Table:
        """Return a column for each expression over `rows`, in their order."""
        from pyspark.sql.pandas.types import from_arrow_schema

        place = "__place"
        numbered = rows.append_column(place, pa.array(range(rows.num_rows), pa.int64()))
        texts = [f"{expression} AS `expression {number}`" for number, expression in enumerate(expressions)]
        with self._session(**_LENIENT) as session:
            frame = session.createDataFrame(
                numbered, schema=from_arrow_schema(numbered.schema)
            )  # else none is found where there are no rows
            if not rows.num_rows:  # also aggregates, whose rows have no place
                return frame.selectExpr(*texts).toArrow()
            return frame.selectExpr(place, *texts).orderBy(place).toArrow().drop_columns([place])

    @contextmanager
    def _session(self, **settings: str) -> Iterator[Any]:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        session = SparkSession.builder.remote(self.remote()).config(map={"spark.sql.session.timeZone": "UTC"} | settings).create()
        try:
            yield session
        except PySparkException as error:
            raise UserError(str(error).split("\n", maxsplit=1)[0]) from error
        finally:
            session.stop()


def _select(table: FullName, version: int, more: str = "", where: str = "") -> str:
    condition = f" WHERE {where}" if where else ""
    return f"SELECT *{more} FROM {_quoted(table)} VERSION AS OF {version}{condition}"  # noqa: S608 - quoted


def _quoted(table: FullName) -> str:
    return ".".join(f"`{part.replace('`', '``')}`" for part in str(table).split("."))
