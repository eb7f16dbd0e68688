"""The coverage table is what the code says."""

from pathlib import Path

from harness.cli.routes import COVERAGE, coverage

ROOT = Path(__file__).resolve().parents[3]


def test_coverage_table_is_up_to_date() -> None:
    """`docs/coverage.md` lists exactly the routes of the code; `harness routes --write` refreshes it."""
    assert (ROOT / COVERAGE).read_text() == coverage()
