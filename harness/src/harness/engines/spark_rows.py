"""Rows of a table with SQL expressions beside them, by Spark itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from harness.errors import UserError
from harness.names import FullName


@dataclass(frozen=True, slots=True)
class SparkRows:
    """Asks the engine at `remote()`, in a session of its own each time."""

    remote: Callable[[], str]

    def rows(self, table: FullName, version: int, expressions: Sequence[str]) -> pa.Table:
        """Return the table's columns at `version` and behind them each expression's value as text."""
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession

        session = SparkSession.builder.remote(self.remote()).config("spark.sql.session.timeZone", "UTC").create()
        try:
            frame = session.sql(f"SELECT * FROM {_quoted(table)} VERSION AS OF {version}")  # noqa: S608 - quoted
            texts = [f"CAST(({expression}) AS STRING) AS `expression {number}`" for number, expression in enumerate(expressions)]
            return frame.selectExpr("*", *texts).toArrow()
        except PySparkException as error:
            raise UserError(str(error).split("\n", maxsplit=1)[0]) from error
        finally:
            session.stop()


def _quoted(table: FullName) -> str:
    return ".".join(f"`{part.replace('`', '``')}`" for part in str(table).split("."))
