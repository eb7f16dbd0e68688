"""The Spark engine's own process: starts the JVM, serves Spark Connect, answers the harness on a pipe.

The first line on standard input is the `Order`; the answer is one JSON line, `{"ready": PORT}` or `{"error": TEXT}`. Later lines are names
of catalogs to be made, answered by `{"catalog": NAME}`, or `- USER CATALOG`: the sessions of the user are closed and what is remembered
of the catalog is let go of. The end of standard input ends Spark politely.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from harness.ai_query import registration
from harness.delta_table import reader as delta_messages
from harness.engines import java
from harness.engines.spark_conf import FORGET, PARALLELISM, Order, spark_conf
from harness.errors import UserError
from harness.platform_sql import information_schemas
from harness.platform_sql import registration as platform_statements
from harness.python_functions import registration as python_functions
from harness_guest import lifeline

# What a Spark Connect client in the harness's process leaves in the environment: with them pyspark would make a client of the server.
_CLIENT_VARIABLES = ("SPARK_REMOTE", "SPARK_LOCAL_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_API_MODE", "SPARK_TESTING")

_CREDENTIALS = ("DATABRICKS_", "MLFLOW_TRACKING_")

_STOP_SECONDS = 300.0  # a JVM that makes an AOT cache works for a while before it ends


def main() -> None:
    """Run until standard input ends."""
    lifeline.follow()
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else prints goes to the log
    _forget_who_started_the_harness()
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    try:
        gateway = _launch(order, sys.stderr.buffer)
        folders = {
            "warehouse": Path(order.warehouse),
            "scratch": Path(order.scratch),
            "files": Path(order.files),
            "pythons": Path(order.pythons),
        }
        session = _session(gateway, spark_conf(port=order.port, **folders))
    except UserError as error:
        _answer(answers, error=str(error))
        sys.exit(1)
    registration.register(session, order.harness_url, order.token)
    delta_messages.register(session)
    python_functions.register(session)
    platform_statements.register(session, order.harness_url, order.token)
    information_schemas.register(session, order.harness_url, order.token)
    _answer(answers, ready=order.port)
    for line in sys.stdin:
        name = line.strip()
        if name.startswith(FORGET):
            _forget(session, *name.removeprefix(FORGET).split())
        else:
            (Path(order.warehouse) / name).mkdir(parents=True, exist_ok=True)
        _answer(answers, catalog=name)
    session.stop()
    assert gateway.process.stdin is not None  # noqa: S101 - opened as a pipe in `launch`
    gateway.process.stdin.close()
    gateway.process.wait(_STOP_SECONDS)


def _forget_who_started_the_harness() -> None:
    """Functions in Spark are whoever sent them, never whom the shell of `harness up` knows."""
    for name in [name for name in os.environ if name.startswith(_CREDENTIALS)]:
        del os.environ[name]


def _forget(session: Any, user: str, catalog: str) -> None:
    jvm = session.sparkContext._jvm  # noqa: SLF001 - pyspark has no public way into the JVM
    jvm.harness.Sessions.end(user)
    jvm.harness.Catalogs.forget(session._jsparkSession, catalog)  # noqa: SLF001 - the same


def _launch(order: Order, log: IO[bytes]) -> java.Gateway:
    jars = [Path(jar) for jar in order.jars]
    folder = Path(order.scratch)
    if order.aot_output is not None:
        return java.launch(jars, options=[f"-XX:AOTCacheOutput={order.aot_output}"], folder=folder, log=log)
    if order.aot_cache is not None:
        try:
            return java.launch(jars, options=[f"-XX:AOTCache={order.aot_cache}"], folder=folder, log=log)
        except UserError:
            # A cache only saves time: one that Java cannot start with is thrown away and made anew later.
            Path(order.aot_cache).unlink(missing_ok=True)
    return java.launch(jars, options=[], folder=folder, log=log)


def _session(gateway: java.Gateway, conf: Mapping[str, str]) -> Any:
    os.environ |= {
        "PYSPARK_GATEWAY_PORT": str(gateway.port),
        "PYSPARK_GATEWAY_SECRET": gateway.secret,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    for name in _CLIENT_VARIABLES:
        os.environ.pop(name, None)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{PARALLELISM}]").appName("harness")
    for key, value in conf.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _answer(answers: IO[str], **content: object) -> None:
    answers.write(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
