"""A running harness: the one that the environment names, or one of our own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.errors import UserError
from harness.testing.workspace import Workspace

if TYPE_CHECKING:
    import httpx

_SECONDS = 120.0
_PROBE_SECONDS = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FIELDS = ("workspace_id", "user", "token", "catalog", "home", "host", "spark_remote")
_LOG_LINES = 15


@dataclass(frozen=True)
class Platform:
    """A warm harness; `host` and `token` are its own user's."""

    host: str
    token: str
    control: httpx.Client

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Give a fresh workspace. Whatever happens inside, it ends with all that was made in it."""
        made = self._ask("POST", "", {"process": os.getpid()})
        workspace = Workspace(**{field: made[field] for field in _FIELDS})
        try:
            yield workspace
        finally:
            workspace.close()
            self._ask("DELETE", f"/{workspace.workspace_id}")

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self.control.request(method, f"/__harness__/workspaces{path}", json=body)
        if answer.is_error:
            raise UserError(f"{method} {answer.url}: {answer.status_code} {answer.text}; the harness's log may say more")
        return answer.json()


@contextlib.contextmanager
def platform(state: Path | None = None) -> Iterator[Platform]:
    """Give the harness of `HARNESS_STATE`, else that of `DATABRICKS_HOST`, else one started here that ends with the block.

    `DATABRICKS_HOST` counts only when it is this machine and a harness answers there: no real workspace is ever asked for anything.
    `state` is the folder of a harness started here; without it, one that is removed at the end.
    """
    import httpx

    with contextlib.ExitStack() as closing:
        host, token = _running() or closing.enter_context(_started(state))
        headers = {"authorization": f"Bearer {token}"}
        control = closing.enter_context(httpx.Client(base_url=host, headers=headers, timeout=_SECONDS, trust_env=False))
        yield Platform(host, token, control)


def _running() -> tuple[str, str] | None:
    state = os.environ.get("HARNESS_STATE")
    if state:
        from harness.cli.connection import require

        found = require(Path(state))
        return found.host, found.token
    host, token = os.environ.get("DATABRICKS_HOST", ""), os.environ.get("DATABRICKS_TOKEN", "")
    return (host, token) if host and token and _is_harness(host) else None


def _is_harness(host: str) -> bool:
    import httpx

    if urlsplit(host).hostname not in _LOOPBACK:
        return False
    try:  # without the token
        return httpx.get(f"{host}/__harness__/health", timeout=_PROBE_SECONDS, trust_env=False).is_success
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def _started(state: Path | None) -> Iterator[tuple[str, str]]:
    with contextlib.ExitStack() as closing:
        folder = state or Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="harness-", ignore_cleanup_errors=True)))
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "testing.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.testing.server", str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            yield _told(process, log)
        finally:
            process.communicate()  # the end of its standard input is its end


def _told(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    assert process.stdout is not None  # noqa: S101 - opened as a pipe
    line = process.stdout.readline()
    if not line:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        raise UserError("\n".join(["the harness did not start:", *lines, "`harness doctor` says what may be wrong with this machine"]))
    told = json.loads(line)
    return told["host"], told["token"]
