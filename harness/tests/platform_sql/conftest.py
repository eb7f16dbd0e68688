"""Statements of Unity Catalog over its real service and real volumes, without Spark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.config import Layout
from harness.ids import SeededIds
from harness.platform_sql.model import Answer
from harness.platform_sql.service import PlatformSql
from harness.state import Store
from harness.unity.service import UnityService
from harness.workspace.files import FilesService

Run = Callable[[str], Answer]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return where everything lies."""
    return Layout(tmp_path / "state").make()


@pytest.fixture
def unity(layout: Layout) -> UnityService:
    """Return a Unity Catalog with the catalog `main` and its schema `default`."""
    return UnityService(layout=layout, clock=SystemClock(), ids=SeededIds(), store=Store(":memory:"), user="dev@harness.local")


@pytest.fixture
def run(unity: UnityService, layout: Layout) -> Run:
    """Return what carries a statement out in `main.default`."""
    files = FilesService(layout=layout, clock=SystemClock(), volumes=unity, secret=b"secret")
    service = PlatformSql(unity, files)
    return lambda sql: service.execute(sql, catalog="main", schema="default")
