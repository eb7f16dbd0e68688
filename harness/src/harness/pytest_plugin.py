"""pytest's fixtures `harness` and `workspace`. Nothing else is imported, and nothing started, until a test asks for one of them.

`pytest -p no:harness` leaves them out; a `conftest.py` with fixtures of these names has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.testing.platform import Platform
    from harness.testing.workspace import Workspace


@pytest.fixture(scope="session")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A warm harness for the session: the one that `HARNESS_STATE` or `DATABRICKS_HOST` names, else one started now."""
    from harness.testing.platform import platform

    with platform(tmp_path_factory.mktemp("harness") / "state") as running:
        yield running


@pytest.fixture
def workspace(harness: Platform) -> Iterator[Workspace]:
    """A workspace of the test's own, in which unchanged code works too: `.client`, `.spark`, `.catalog`, `.token`, `.host`."""
    from harness.testing.surroundings import surroundings

    with harness.workspace() as made, surroundings(made):
        yield made
