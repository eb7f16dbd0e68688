"""The SQL in which Spark is asked about the monitored table. Pure."""

from collections.abc import Sequence

from harness.monitoring.windows import Granularity, Window


def quoted(name: str) -> str:
    """Return `name` as SQL writes the name of a column."""
    return f"`{name.replace('`', '``')}`"


def start_of(column: str, granularity: Granularity) -> str:
    """Return the start of the window that a row is in, in microseconds since 1970."""
    if granularity.micros is None:
        return f"unix_micros(date_trunc('{'MONTH' if granularity.months == 1 else 'YEAR'}', CAST({quoted(column)} AS TIMESTAMP)))"
    return f"{_micros(column)} - pmod({_micros(column)} - {granularity.anchor}, {granularity.micros})"


def between(column: str, times: Sequence[Window]) -> str:
    """Return the condition that a row is of one of these times."""
    return " OR ".join(f"({_micros(column)} >= {time.start} AND {_micros(column)} < {time.end})" for time in times) or "FALSE"


def _micros(column: str) -> str:
    return f"unix_micros(CAST({quoted(column)} AS TIMESTAMP))"
