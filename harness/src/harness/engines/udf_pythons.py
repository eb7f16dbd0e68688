"""The Python that Spark starts for functions of its clients: a script for each user, which gives the functions that user's credentials.

On the platform a function that Spark runs is whoever sent it, so that a model it loads is found (mlflow's `spark_udf`). Here a session of
Spark Connect is told which Python its functions run on (`java_sources/harness/Sessions.java`); tasks tell their own
(`guest/harness_guest/udf_python.py`). Spark keeps workers by the name of their Python, so that no worker serves two users.
"""

import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import harness
from harness.config import ISOLATED_USERS, Layout

_EVERYONE_ELSE = "workspace"  # no catalog of an isolated workspace is called so; Sessions.java reads it too
_SCRIPT = "python"
_SUPPORT = "support"


@dataclass(frozen=True, slots=True)
class UdfPythons:
    """The scripts of one state folder, a folder for each user; what all their workers share lies beside them."""

    layout: Layout

    def start(self) -> None:
        """Forget what workers of an earlier life left, and whose they were."""
        for folder in (folder for folder in self._root.glob("*/") if folder.name != _SUPPORT):
            shutil.rmtree(folder)
        self._temporary.mkdir(parents=True, exist_ok=True)

    def support(self) -> None:
        """Let workers that run as a task does find `ai_query`'s code, and nothing else of this process's packages."""
        link = self._root / _SUPPORT / "harness"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(Path(harness.__file__).parent, target_is_directory=True)

    def folder(self, user: str) -> Path:
        """Return where the scripts of `user` lie."""
        return self._root / (user.removesuffix(ISOLATED_USERS) if user.endswith(ISOLATED_USERS) else _EVERYONE_ELSE)

    def variables(self) -> Mapping[str, str]:
        """Return what every worker is told: where it may keep models, and what is touched when they change (see `udf_daemon`)."""
        return {"TMPDIR": str(self._temporary), "HARNESS_MODELS_CHANGED": str(self._changed)}

    def write(self, user: str, credentials: Mapping[str, str]) -> None:
        """Let functions that `user` sends from a plain client run with these."""
        folder = self.folder(user)
        folder.mkdir(parents=True, exist_ok=True)
        told = {**credentials, **self.variables()}
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in told.items())
        half_made = folder / f".{_SCRIPT}"
        half_made.touch(0o700)  # a token is in it
        half_made.write_text(f'#!/bin/sh\n{exports}export HARNESS_OWN_PYTHON="$0"\nexec {shlex.quote(sys.executable)} "$@"\n')
        half_made.replace(folder / _SCRIPT)

    def remove(self, user: str) -> None:
        """Keep nothing of `user`."""
        shutil.rmtree(self.folder(user), ignore_errors=True)

    def models_changed(self) -> None:
        """Tell workers that models they have loaded may no longer be what their names say."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._changed.touch()

    @property
    def _root(self) -> Path:
        return self.layout.udf_python.resolve()

    @property
    def _temporary(self) -> Path:
        return self._root / "tmp"

    @property
    def _changed(self) -> Path:
        return self._root / "models-changed"
