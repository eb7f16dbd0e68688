"""Python functions in Spark (UDFs, `mapInPandas` …) run with what the task has: its interpreter, its wheels, what it installed.

The engine's own interpreter has none of that. A session of Spark Connect can name another one (`spark.sql.execution.pyspark.python`); ours
is a small script that starts the task's interpreter with the task's folders. It is named when the first function is sent, so that tasks
that send none pay nothing.
"""

import hashlib
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

_CONF = "spark.sql.execution.pyspark.python"
_PASSED = ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")  # for models that functions load
_GUEST = str(Path(__file__).parent.parent)
_SUPPORT = "support"  # what the engine's own functions (`ai_query`) need, last of all: `harness/engines/udf_pythons.py` fills it


def follow(folder: Path, own: str, variables: Mapping[str, str]) -> None:
    """Let functions that this process sends to Spark run as this process does, and be told `variables`.

    `folder` keeps the scripts, `own` is the task's.
    """
    from pyspark.sql.connect.expressions import PythonUDF
    from pyspark.sql.connect.plan import PythonUDTF

    told: WeakSet[Any] = WeakSet()

    def sent(to_plan: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def with_own_python(function: Any, client: Any) -> Any:
            if client not in told:
                told.add(client)
                _tell(client, script(folder, own, sys.path, variables))
            return to_plan(function, client)

        return with_own_python

    PythonUDF.to_plan = sent(PythonUDF.to_plan)
    PythonUDTF.to_plan = sent(PythonUDTF.to_plan)


def script(folder: Path, own: str, path: list[str], variables: Mapping[str, str]) -> Path:
    """Return a script that is an interpreter with this process's folders; one for all tasks that have the same.

    Spark keeps its workers, with the modules they have imported, by the name of their interpreter. Folders of overlays are named after
    what is in them; any other may change, and so belongs to this task alone.
    """
    installed = {str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix)}
    absolute = [str(Path(entry).absolute()) for entry in path if entry]
    folders = [entry for entry in absolute if not any(Path(entry).resolve().is_relative_to(prefix) for prefix in installed)]
    # Not what the engine's own PYTHONPATH says: that leads to the harness's packages. pyspark's worker is in the task's environment too.
    text = f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(':'.join([*folders, str(folder.parent / _SUPPORT)]))}\n"
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ} | dict(variables)
    text += "".join(f"export {name}={shlex.quote(value)}\n" for name, value in passed.items())
    text += 'export HARNESS_OWN_PYTHON="$0"\n'  # udf_daemon.py ends without it
    text += f'exec {shlex.quote(sys.executable)} "$@"\n'
    may_change = any(Path(entry).parent.name != "environments" for entry in folders if entry != _GUEST)
    digest = hashlib.sha256(f"{text}\n{own if may_change else ''}".encode()).hexdigest()[:16]
    made = folder / f"python-{digest}"
    if not made.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_made = folder / f".{made.name}.{hashlib.sha256(own.encode()).hexdigest()[:8]}"
        half_made.touch(0o700)  # a token is in it
        half_made.write_text(text)
        half_made.replace(made)
    return made


def _tell(client: Any, python: Path) -> None:
    from pyspark.sql.connect import proto

    pairs = [proto.KeyValue(key=_CONF, value=str(python))]
    client.config(proto.ConfigRequest.Operation(set=proto.ConfigRequest.Set(pairs=pairs)))
