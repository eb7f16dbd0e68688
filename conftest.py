"""What every test of the repository shares."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import harness  # noqa: F401 - before pytest imports harness/tests as a package of that name (--import-mode=importlib)
from harness.coverage.touched import Touched
from harness.http import Answered, observed

# The same examples each time, and no timed assertions: a slow machine is not a bug.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

_OF_PROCESSES = ("/test_dry_run.py", "/test_harness_processes.py", "/test_replay.py", "/test_wheels.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark laws, so that `-m property` finds them."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.property)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, have those tests in one process that `group` puts together."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Grouped(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Grouped(config, log)


def group(nodeid: str) -> str:
    """Return which of the tests on real parts go together, so that there is one engine and one harness for them.

    Tests of the whole and tests of parts are never in one process: mlflow keeps the Spark session and the workspace that it met first.
    Tests that do no more than start processes go wherever there is time left.
    """
    file = nodeid.partition("::")[0]
    if not file.startswith("integration/"):
        return "parts"
    return file if file.endswith(_OF_PROCESSES) else "whole"


@pytest.fixture(scope="session", autouse=True)
def _touched() -> Iterator[None]:
    """Note which routes the tests touch, in a file of the folder that HARNESS_COVERAGE names: `harness routes --runs` reads them."""
    folder = os.environ.get("HARNESS_COVERAGE")
    if folder is None:
        yield
        return
    touched = Touched()

    def note(answered: Answered) -> None:
        file, _, test = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")
        script = test.partition("[")[2].partition("]")[0]
        touched.add(answered, f"integration/clients/{script}.py" if file.endswith("/test_clients.py") else file)

    with observed(note):
        yield
    Path(folder).mkdir(parents=True, exist_ok=True)
    touched.write(Path(folder) / f"{uuid.uuid4().hex}.json")
