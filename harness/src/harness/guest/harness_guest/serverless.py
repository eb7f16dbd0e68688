"""What serverless compute refuses of Spark, refused here in its words: docs.databricks.com/compute/serverless/limitations.

The Connect client's own classes are changed in the task's process; `spark.sparkContext`, RDDs and the JVM are not in it anyway.
"""

import re
from collections.abc import Callable
from typing import Any, NoReturn

from dbruntime.display import display

# docs.databricks.com/spark/conf: the properties that can be set on serverless compute.
CONFS = frozenset(
    {
        "spark.databricks.execution.timeout",
        "spark.sql.ansi.enabled",
        "spark.sql.files.maxPartitionBytes",
        "spark.sql.legacy.timeParserPolicy",
        "spark.sql.session.timeZone",
        "spark.sql.shuffle.partitions",
    }
)
_CACHING = re.compile(r"\s*(?:UN)?CACHE\s+(?:LAZY\s+)?TABLE\b", re.IGNORECASE)
_GLOBAL_VIEW = re.compile(r"\s*CREATE\s+(?:OR\s+REPLACE\s+)?GLOBAL\s+TEMP", re.IGNORECASE)
_SETTING = re.compile(r"\s*SET\s+(?P<name>[\w.]+)\s*=", re.IGNORECASE)
_FRAME_METHODS = ("cache", "persist", "unpersist", "checkpoint", "localCheckpoint")


def limit_spark() -> None:
    """Let this process's Spark refuse what serverless compute refuses."""
    from pyspark.sql.connect.catalog import Catalog
    from pyspark.sql.connect.conf import RuntimeConf
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.connect.streaming.readwriter import DataStreamWriter

    DataFrame.display = display  # what the platform's runtime adds to frames
    for name in _FRAME_METHODS:
        setattr(DataFrame, name, _refused("PERSIST TABLE"))
    for name in ("createGlobalTempView", "createOrReplaceGlobalTempView"):
        setattr(DataFrame, name, _refused("GLOBAL TEMPORARY VIEW"))
    for name in ("cacheTable", "uncacheTable", "clearCache"):
        setattr(Catalog, name, _refused("PERSIST TABLE"))
    RuntimeConf.set = _checked(RuntimeConf.set, _check_conf)
    SparkSession.sql = _checked(SparkSession.sql, _check_statement)
    DataStreamWriter.trigger = _with_trigger(DataStreamWriter.trigger)
    DataStreamWriter.start = _started(DataStreamWriter.start)
    DataStreamWriter.toTable = _started(DataStreamWriter.toTable)


def _refused(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise _not_supported(what)

    return refuse


def _checked(function: Callable[..., Any], check: Callable[[Any], None]) -> Callable[..., Any]:
    """Return `function`, which first lets `check` look at its first argument."""

    def checked(self: Any, first: Any, *more: Any, **named: Any) -> Any:
        check(first)
        return function(self, first, *more, **named)

    return checked


def _check_conf(name: str) -> None:
    if name not in CONFS:
        message = f"Configuration {name} is not available; on serverless compute these are: {', '.join(sorted(CONFS))}."
        raise _error("CONFIG_NOT_AVAILABLE", message, "42K0I")


def _check_statement(text: Any) -> None:
    if not isinstance(text, str):
        return
    if _CACHING.match(text):
        raise _not_supported("PERSIST TABLE")
    if _GLOBAL_VIEW.match(text):
        raise _not_supported("GLOBAL TEMPORARY VIEW")
    setting = _SETTING.match(text)
    if setting is not None:
        _check_conf(setting["name"])


def _with_trigger(function: Callable[..., Any]) -> Callable[..., Any]:
    def trigger(self: Any, **kind: Any) -> Any:
        endless = next((name for name in ("processingTime", "continuous", "realTime") if kind.get(name) is not None), None)
        if endless is not None:
            raise _endless(endless[0].upper() + endless[1:])
        self._harness_triggered = True
        return function(self, **kind)

    return trigger


def _started(function: Callable[..., Any]) -> Callable[..., Any]:
    def start(self: Any, *arguments: Any, **named: Any) -> Any:
        if not getattr(self, "_harness_triggered", False):
            raise _endless("ProcessingTime")
        return function(self, *arguments, **named)

    return start


def _endless(trigger: str) -> Exception:
    message = f"Trigger type {trigger} is not supported on serverless compute. Use a different trigger type e.g. AvailableNow, Once."
    return _error("INFINITE_STREAMING_TRIGGER_NOT_SUPPORTED", message, "0A000")


def _not_supported(what: str) -> Exception:
    return _error("NOT_SUPPORTED_WITH_SERVERLESS", f"{what} is not supported on serverless compute.", "0A000")


def _error(condition: str, message: str, state: str) -> Exception:
    from pyspark.errors.exceptions.connect import AnalysisException

    error: Exception = AnalysisException(message=f"[{condition}] {message} SQLSTATE: {state}", errorClass=condition, sql_state=state)
    return error
