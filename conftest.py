"""What every test of the repository shares."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import harness  # noqa: F401 - before pytest imports harness/tests as a package of that name (--import-mode=importlib)
from harness.coverage.touched import Touched
from harness.http import Answered, observed

# The same examples each time, and no timed assertions: a slow machine is not a bug.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark laws, so that `-m property` finds them."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.property)


@pytest.fixture(scope="session", autouse=True)
def _touched(request: pytest.FixtureRequest) -> Iterator[None]:
    """Note which routes the tests touch, in a file of the folder that HARNESS_COVERAGE names (`nox -s coverage`)."""
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
    touched.write(Path(folder) / f"{getattr(request.config, 'workerinput', {}).get('workerid', 'one')}.json")
