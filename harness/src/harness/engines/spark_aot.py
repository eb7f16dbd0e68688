"""Java's ahead-of-time cache of Spark: halves the start. Made once, from a training run, when the machine is idle.

`python -m harness.engines.spark_aot` makes it; `start_training()` does that in a process of its own, at the lowest priority.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.config import Layout, cache_folder
from harness.engines.java import FLAGS, java
from harness.engines.processes import Lifeline, guest_path

_LOWEST_PRIORITY = 19
_COMMAND = (sys.executable, "-m", "harness.engines.spark_aot")

# What tasks do: it is from these that Java learns which classes to keep.
TRAINING = (
    "CREATE SCHEMA IF NOT EXISTS main.training",
    "CREATE TABLE main.training.t (id INT, x DOUBLE)",
    "INSERT INTO main.training.t VALUES (1, 2.0), (2, 3.0)",
    "SELECT count(*), avg(x) FROM main.training.t WHERE id > 0 GROUP BY id ORDER BY id",
    (
        "MERGE INTO main.training.t t USING (SELECT 1 id, 9.0D x UNION ALL SELECT 5, 5.0D) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    ),
    "CREATE OR REPLACE TABLE main.training.u AS SELECT id, x * 2 AS y FROM main.training.t",
    "CREATE TABLE main.training.c (k STRING, v DOUBLE) TBLPROPERTIES (delta.enableChangeDataFeed = true)",
    "INSERT INTO main.training.c SELECT sha2(CAST(xxhash64(x) AS STRING), 256), x FROM main.training.t",
    "SELECT k, row_number() OVER (PARTITION BY v ORDER BY k) AS n FROM main.training.c WHERE startswith(k, 'a') OR v > 0",
    "SELECT count(*) FROM table_changes('main.training.c', 1)",
    "DESCRIBE DETAIL main.training.c",
    "ALTER TABLE main.training.c SET TBLPROPERTIES ('a' = 'b')",
    "SHOW TABLES IN main.training",
    "DESCRIBE HISTORY main.training.t",
    "SELECT * FROM main.training.t VERSION AS OF 1",
)


def aot_file(jars: Sequence[Path], *, cache: Path | None = None) -> Path:
    """Return where the cache for this Java, class path and flags lies, or would lie: with any other Java refuses it."""
    digest = hashlib.sha256(str(java()).encode())
    for part in (java().parent.parent / "release", *jars):
        status = part.stat()
        digest.update(f"{part} {status.st_size} {status.st_mtime_ns}\n".encode())
    digest.update(" ".join(FLAGS).encode())
    return (cache or cache_folder()) / "aot" / f"{digest.hexdigest()[:16]}.aot"


def is_trained() -> bool:
    """Return whether the cache is there."""
    from harness.engines.spark import engine_jars

    return aot_file(engine_jars(lambda _: None)).exists()


def start_training() -> None:
    """Start making the cache in a process that outlives this one; call it when nothing else needs the machine.

    It ends by itself after about a minute and does nothing when another one is at it.
    """
    subprocess.Popen(
        _COMMAND,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": guest_path()},
        start_new_session=True,
    )


def start_training_of(lifeline: Lifeline, log: Path) -> subprocess.Popen[bytes]:
    """Start making the cache in a process that ends with the harness of `lifeline`, if it has not ended before."""
    return lifeline.spawn(_COMMAND, log=log, environment={"PYTHONPATH": guest_path()})


def train_aot_cache() -> Path | None:
    """Make the cache and return its path; None when another process is making it. A half-made file never has the final name."""
    from harness.engines.spark import engine_jars

    target = aot_file(engine_jars(lambda _: None))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target.with_suffix(".lock")) as alone:
        if not alone:
            return None
        if not target.exists():
            _train(target)
    return target


def _train(target: Path) -> None:
    from pyspark.sql import SparkSession

    from harness.engines.spark import SparkEngine

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".training-") as folder:
        output = Path(folder) / target.name
        lifeline = Lifeline()
        layout = Layout(Path(folder) / "state").make()
        engine = SparkEngine(
            layout=layout, lifeline=lifeline, harness_url="http://127.0.0.1:9", token="", catalogs=("main",), aot_output=output
        )
        try:
            engine.start(lambda _: None)
            client = SparkSession.builder.remote(engine.remote).getOrCreate()
            for statement in TRAINING:
                client.sql(statement).collect()
            client.stop()
        finally:
            engine.close()
            lifeline.close()
        if output.exists():
            output.replace(target)


@contextmanager
def _only_one(path: Path) -> Iterator[bool]:
    """Give whether this process alone holds `path`; the kernel lets go of it however the process ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def main() -> None:
    """Make the cache, giving way to everything else on the machine."""
    from harness_guest.lifeline import follow  # on the path of this process, not of the harness

    follow()
    os.nice(_LOWEST_PRIORITY)
    train_aot_cache()


if __name__ == "__main__":
    main()
