"""Statements of Unity Catalog over its real service and real volumes, without Spark."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from harness.clock import SystemClock
from harness.config import Layout
from harness.ids import SeededIds
from harness.platform_sql.model import Answer
from harness.platform_sql.service import PlatformSql
from harness.state import Store
from harness.unity.service import UnityService
from harness.workspace.files import FilesService


class Run(Protocol):
    """Carries a statement out in `main.default`; its literals stand beside it, as the engine sends them."""

    def __call__(self, sql: str, *values: str | None) -> Answer:
        """Return its answer."""
        ...


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
    return lambda sql, *values: service.execute(sql, values=values, catalog="main", schema="default")


@pytest.fixture
def make_table(layout: Layout) -> Callable[[str], None]:
    """Return a writer of tables with a column `fare`."""

    def make(name: str) -> None:
        write_deltalake(layout.warehouse.joinpath(*name.split(".")), pa.table({"fare": [1.5]}))

    return make
