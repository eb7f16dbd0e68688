"""What every task and every model server stands on, and how that differs from the platform's environment versions."""

import hashlib
import platform
import sys
from collections.abc import Mapping

from harness.engines.uv import EXCLUDE_NEWER
from harness.errors import UserError

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
    "setuptools",  # old wheels import pkg_resources
)
# Versions pinned by the platform (github.com/databricks/environments, python/serverless), as far as a task of ours would notice.
PLATFORM: Mapping[str, Mapping[str, str]] = {
    "1": {"Python": "3.10", "pandas": "1.5.3", "numpy": "1.23.5", "pyarrow": "8.0.0", "scikit-learn": "1.1.1", "databricks-sdk": "0.20"},
    "2": {
        "Python": "3.11",
        "pandas": "1.5.3",
        "numpy": "1.23.5",
        "pyarrow": "14.0.1",
        "scikit-learn": "1.3.0",
        "mlflow-skinny": "2.11.4",
        "databricks-sdk": "0.40",
    },
    "3": {
        "Python": "3.12",
        "numpy": "1.26.4",
        "pyarrow": "15.0.2",
        "scikit-learn": "1.4.2",
        "mlflow-skinny": "2.21.3",
        "databricks-sdk": "0.49",
    },
    "4": {
        "Python": "3.12",
        "pandas": "2.2.3",
        "numpy": "2.1.3",
        "pyarrow": "19.0.1",
        "scikit-learn": "1.6.1",
        "mlflow-skinny": "2.22.0",
        "databricks-sdk": "0.49",
    },
    "5": {
        "Python": "3.12",
        "pandas": "2.2.3",
        "numpy": "2.1.3",
        "pyarrow": "21.0.0",
        "scikit-learn": "1.6.1",
        "mlflow-skinny": "3.8.1",
        "databricks-sdk": "0.67",
    },
    "6": {
        "Python": "3.12",
        "pandas": "2.3.3",
        "numpy": "2.3.4",
        "pyarrow": "21.0.0",
        "scikit-learn": "1.7.2",
        "mlflow-skinny": "3.12.0",
        "databricks-sdk": "0.122",
    },
}


def base_key() -> str:
    """Return what names the base environment: a change of a pin, a date or the interpreter makes another one."""
    parts = [*BASE_REQUIREMENTS, EXCLUDE_NEWER, sys.version, platform.machine(), sys.platform]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def differences(version: str, installed: Mapping[str, str]) -> str:
    """Return one line on how environment `version` differs from what is installed here, empty when it does not."""
    if version not in PLATFORM:
        raise UserError(f"environment_version '{version}' is not known; expected one of {', '.join(PLATFORM)}")
    here = {"Python": platform.python_version(), **installed}
    other = {name: there for name, there in PLATFORM[version].items() if not _same(there, here.get(name, ""))}
    if not other:
        return ""
    told = ", ".join(f"{name} {there} (here {here.get(name, 'none')})" for name, there in other.items())
    return f"environment_version {version} has on Databricks: {told}"


def _same(there: str, here: str) -> bool:
    """Versions are pinned there as `~=`: the last part may be higher."""
    parts = there.split(".")
    return here.split(".")[: max(2, len(parts) - 1)] == parts[: max(2, len(parts) - 1)]
