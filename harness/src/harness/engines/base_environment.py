"""What every task and every model server stands on."""

import hashlib
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.engines.uv import EXCLUDE_NEWER

BASE_REQUIREMENTS = (
    "pyspark-client==4.2.0",  # the Spark Connect client of the engine's own version; no jars
    "mlflow-skinny==3.17.2",  # the version of the MLflow server
    "scikit-learn==1.9.1",  # models are pickled by tasks, loaded by model servers and by tests: one version
    "pandas==2.3.3",  # pyspark 4.2 does not fully support pandas 3
    "pyarrow>=25,<26",  # what the harness itself reads tables with
    "databricks-sdk==0.156.0",  # the version the emulated API was read from
    "numpy>=2",  # models and frames
    "scipy>=1.16",  # scikit-learn, and what notebooks import without saying so
    "msgspec>=0.20",  # model servers: bodies of plain numbers, read by their type (guest/harness_guest/fast_bodies.py)
    "orjson",  # model servers: predictions written as JSON
    "uvloop; sys_platform != 'win32'",  # model servers
    "ipython>=9,<10",  # runs the cells of notebooks, as on the platform
    "matplotlib>=3.9",  # pictures of tasks and notebooks
    "setuptools<81",  # old wheels import pkg_resources, which later ones have not
)
ALONE_REQUIREMENTS = (
    "delta-spark==4.4.0",  # `DeltaTable` in tasks; it asks for all of pyspark, of which the client is enough
)


def base_key(requirements: Sequence[str], interpreter: str) -> str:
    """Return what names a base environment: a change of a pin, a date or the interpreter makes another one."""
    python = sys.version if Path(interpreter) == Path(sys.executable) else interpreter
    parts = [*requirements, *ALONE_REQUIREMENTS, EXCLUDE_NEWER, python, platform.machine(), sys.platform]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
