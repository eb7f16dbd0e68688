"""`dbutils`, `spark` and their companions, as far as the harness has them; the rest says that it is not there."""

from typing import Any, NoReturn

from dbruntime.display import display, display_html
from dbruntime.file_system import FileSystem
from dbruntime.library import Library
from dbruntime.notebook import Notebook
from dbruntime.secret_values import Secrets
from dbruntime.task_values import TaskValues
from dbruntime.widgets import Widgets


class NotThere:
    """A part of the platform that the harness does not emulate: using it says so."""

    def __init__(self, name: str, advice: str = "see docs/coverage.md of the harness") -> None:
        self._name = name
        self._advice = advice

    def __getattr__(self, attribute: str) -> NoReturn:
        if attribute.startswith("__"):  # copy, pickle, inspect: they ask whether it is there
            raise AttributeError(attribute)
        raise NotImplementedError(f"{self._name}.{attribute} is not emulated; {self._advice}")

    def __call__(self, *_: object, **__: object) -> NoReturn:
        """Say that it is not there."""
        raise NotImplementedError(f"{self._name} is not emulated; {self._advice}")


class Jobs:
    """`dbutils.jobs`."""

    def __init__(self) -> None:
        self.taskValues = TaskValues()  # the platform's name


class DBUtils:
    """`dbutils`; a part that is not here raises `NotImplementedError` that names it."""

    def __init__(self) -> None:
        self.fs = FileSystem()
        self.jobs = Jobs()
        self.library = Library()
        self.notebook = Notebook()
        self.secrets = Secrets()
        self.widgets = Widgets()
        self.notebook.entry_point = EntryPoint(self)

    def __getattr__(self, part: str) -> NotThere:
        if part.startswith("_"):
            raise AttributeError(part)
        return NotThere(f"dbutils.{part}")


class EntryPoint:
    """`dbutils.notebook.entry_point`, by which notebooks reach their context."""

    def __init__(self, dbutils: DBUtils) -> None:
        self._dbutils = dbutils

    def getDbutils(self) -> "EntryPoint":  # noqa: N802 - the platform's name
        """Return what has a `notebook()`."""
        return self

    def notebook(self) -> Notebook:
        """Return `dbutils.notebook`."""
        return self._dbutils.notebook


class LazySession:
    """The Spark session of this task, made when something is asked of it (importing must not need Spark).

    It gives itself out as a `SparkSession`, so that `isinstance(spark, SparkSession)` holds.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(_session(), name)

    @property  # type: ignore[misc]  # mypy takes __class__ for fixed; unittest.mock does the same
    def __class__(self) -> type:
        from pyspark.sql.connect.session import SparkSession

        return SparkSession  # type: ignore[no-any-return]  # pyspark is not read by mypy


def _session() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()  # by SPARK_REMOTE


def _sql(*arguments: Any, **named: Any) -> Any:
    return _session().sql(*arguments, **named)


def _table(name: str) -> Any:
    return _session().table(name)


def _udf(*arguments: Any, **named: Any) -> Any:
    from pyspark.sql.functions import udf

    return udf(*arguments, **named)


_ON_SERVERLESS = "serverless compute has Spark Connect only; use spark"


class UserNamespaceInitializer:
    """Gives `databricks.sdk.runtime` its names."""

    _instance: "UserNamespaceInitializer | None" = None

    def __init__(self) -> None:
        self.dbutils = DBUtils()
        self._globals: dict[str, object] = {
            "dbutils": self.dbutils,
            "spark": LazySession(),
            "sql": _sql,
            "table": _table,
            "udf": _udf,
            "display": display,
            "displayHTML": display_html,
            "getArgument": self.dbutils.widgets.getArgument,
            "sc": NotThere("sc", _ON_SERVERLESS),
            "sqlContext": NotThere("sqlContext", _ON_SERVERLESS),
        }

    @classmethod
    def getOrCreate(cls) -> "UserNamespaceInitializer":  # noqa: N802 - the platform's name
        """Return the one initializer of this process."""
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def get_namespace_globals(self) -> dict[str, object]:
        """Return the names a task finds in `databricks.sdk.runtime`."""
        return self._globals
