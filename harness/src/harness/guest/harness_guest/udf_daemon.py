"""pyspark's own daemon, whose workers begin each task without models that may no longer be what their names say.

mlflow's `spark_udf` keeps the model that a worker has loaded in a folder of that worker, named after the model's address, such as
`models:/main.ml.fares@Champion`. A worker lives for many tasks, an alias moves, and the number of a process comes back. So whatever is
kept goes once the registry has changed (the harness touches a file then), and so does what workers that have ended left behind.

The daemon ends when the script that started it is gone: the isolated workspace that it worked for has been deleted.
"""

import os
import select
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from pyspark import daemon

CHANGED = "HARNESS_MODELS_CHANGED"
OWN = "HARNESS_OWN_PYTHON"
_LOOK_SECONDS = 5.0
_KEPT = "mlflow"  # mlflow.pyfunc.spark_udf: <temporary folder>/mlflow/<hash of the address>/<number of the process>


def main() -> None:
    """Run until Spark closes the standard input, or the script that started this is gone."""
    if OWN in os.environ:
        _end_without(Path(os.environ[OWN]))
    if CHANGED in os.environ:
        daemon.worker = before_each_task(daemon.worker, Path(os.environ[CHANGED]), Path(os.environ["TMPDIR"], _KEPT))
    daemon.manager()


def before_each_task(work: Callable[[socket.socket, bool], int], changed: Path, kept: Path) -> Callable[[socket.socket, bool], int]:
    """Return `work`, done on a task that has come, after what may be stale is gone. `changed` is touched when models change."""
    seen: list[int] = []

    def worker(sock: socket.socket, authenticated: bool) -> int:  # noqa: FBT001 - pyspark's own
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the daemon's, whose timer a worker has not
        select.select([sock], [], [])
        now = changed.stat().st_mtime_ns if changed.exists() else 0
        if seen != [now]:  # a worker's first task as well: its number may have been another's
            _remove(kept)
            seen[:] = [now]
        return work(sock, authenticated)

    return worker


def _end_without(script: Path) -> None:
    def look(number: int, frame: object) -> None:  # noqa: ARG001 - what a handler is given
        if not script.exists():
            os.kill(os.getpid(), signal.SIGTERM)  # pyspark's daemon then ends, and its workers with it

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)


def _remove(kept: Path) -> None:
    for folder in kept.glob("*/*"):
        if int(folder.name) == os.getpid() or not _lives(int(folder.name)):
            shutil.rmtree(folder, ignore_errors=True)  # another worker may do the same


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
