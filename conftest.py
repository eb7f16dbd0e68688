"""What every test of the repository shares."""

import pytest
from hypothesis import HealthCheck, settings

import harness  # noqa: F401 - before pytest imports harness/tests as a package of that name (--import-mode=importlib)

# The same examples each time, and no timed assertions: a slow machine is not a bug.
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark laws, so that `-m property` finds them."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.property)
