"""`dbutils.notebook`: leaving a notebook with a result, running another one, and where this one stands."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

MAX_RESULT_BYTES = 5 << 20  # docs.databricks.com/api/workspace/jobs/getrunoutput: the first 5 MB of what a notebook exits with


class NotebookExit(BaseException):  # no error: nothing that catches errors is to hold it up
    """Raised by `dbutils.notebook.exit`; whoever runs the notebook catches it."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Notebook:
    """`dbutils.notebook`."""

    def __init__(self) -> None:
        self.path = ""
        """Of the notebook that the task runs; empty in a wheel or a script."""
        self.entry_point: Any = None
        """How notebooks reach their context: `entry_point.getDbutils().notebook().getContext()`."""
        self.start: Callable[[str, float, Mapping[str, str]], str] | None = None

    def exit(self, value: object = "") -> NoReturn:
        """End the notebook with `value`, as text; the run succeeds."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: float = 0, arguments: Mapping[str, object] | None = None) -> str:
        """Run another notebook as a run of its own and return what it exits with; 0 seconds are no limit."""
        if self.start is None:
            raise RuntimeError("dbutils.notebook.run: only a notebook can run another one; this task is none")
        return self.start(path, timeout_seconds, {name: str(value) for name, value in (arguments or {}).items()})

    def getContext(self) -> "Context":  # noqa: N802 - the platform's name
        """Return where this notebook runs."""
        return Context(self.path)


class Context:
    """What is asked of a notebook's context most often; each answer is an `Option`, as the platform's Scala object gives it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def notebookPath(self) -> "Option":  # noqa: N802 - the platform's name
        """Return the path of the notebook in the workspace, without `/Workspace`."""
        return Option(self._path.removeprefix("/Workspace") or None)

    def apiUrl(self) -> "Option":  # noqa: N802 - the platform's name
        """Return the address of the workspace."""
        return Option(os.environ.get("DATABRICKS_HOST"))

    def apiToken(self) -> "Option":  # noqa: N802 - the platform's name
        """Return the token that this task calls the workspace with."""
        return Option(os.environ.get("DATABRICKS_TOKEN"))

    def browserHostName(self) -> "Option":  # noqa: N802 - the platform's name
        """Return the name of the workspace's host."""
        host = os.environ.get("DATABRICKS_HOST")
        return Option(host.partition("://")[2] if host else None)

    def currentRunId(self) -> "Option":  # noqa: N802 - the platform's name
        """Return the run of this task."""
        return Option(os.environ.get("HARNESS_TASK_RUN_ID"))

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(f"the notebook context's {name} is not emulated; see docs/coverage.md of the harness")


class Option:
    """A value that may be absent."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        """Return the value; `ValueError` when there is none."""
        if self._value is None:
            raise ValueError("None.get")
        return self._value

    def getOrElse(self, default: Any) -> Any:  # noqa: N802 - the platform's name
        """Return the value, or `default` when there is none."""
        return default if self._value is None else self._value

    def isDefined(self) -> bool:  # noqa: N802 - the platform's name
        """Return whether there is a value."""
        return self._value is not None

    def toString(self) -> str:  # noqa: N802 - the platform's name
        """Return it as the platform prints it."""
        return "None" if self._value is None else f"Some({self._value})"
