"""`dbutils.jobs.taskValues`: small JSON values that the tasks of one run leave for those after them.

The harness names a folder and this task's key in the environment; each task writes one file there and reads those of others.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile

FOLDER = "HARNESS_TASK_VALUES"
TASK_KEY = "HARNESS_TASK_KEY"
MAX_BYTES = 48 * 1024  # docs.databricks.com/jobs/task-values: the JSON of a value may have at most 48 KiB


class TaskValues:
    """Sets values of this task, gets those of others."""

    def set(self, key: str, value: object) -> None:
        """Leave `value` under `key`; outside of a job, do nothing (as the platform says)."""
        if not isinstance(key, str):
            raise TypeError(f"taskValues.set: key must be a string, not {type(key).__name__}")
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"taskValues.set('{key}'): the value has no JSON form ({error})") from error
        size = len(text.encode())
        if size > MAX_BYTES:
            raise ValueError(f"taskValues.set('{key}'): the value's JSON has {size} bytes; at most {MAX_BYTES} are allowed")
        folder = os.environ.get(FOLDER)
        if folder is not None:
            _write(Path(folder), os.environ[TASK_KEY], {**_read(Path(folder), os.environ[TASK_KEY]), key: value})

    def get(
        self,
        taskKey: str,  # noqa: N803 - the platform's name
        key: str,
        default: object = None,
        debugValue: object = None,  # noqa: N803 - the platform's name
    ) -> object:
        """Return what the task `taskKey` has left under `key`, else `default`; outside of a job, `debugValue`.

        Raises `ValueError` when there is neither, and `TypeError` outside of a job without a `debugValue`.
        """
        folder = os.environ.get(FOLDER)
        if folder is None:
            if debugValue is None:
                raise TypeError("taskValues.get: outside of a job a debugValue other than None is needed")
            return debugValue
        values = _read(Path(folder), taskKey)
        if key in values:
            return values[key]
        if default is None:
            known = ", ".join(sorted(values)) or "nothing"
            raise ValueError(f"taskValues.get: task '{taskKey}' has set no value '{key}' in this run; it has set: {known}")
        return default


def _read(folder: Path, task_key: str) -> Mapping[str, object]:
    path = folder / f"{task_key}.json"
    found: Mapping[str, object] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _write(folder: Path, task_key: str, values: Mapping[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False) as part:
        json.dump(values, part)
    Path(part.name).replace(folder / f"{task_key}.json")
