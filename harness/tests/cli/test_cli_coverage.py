"""The coverage table is what the code says."""

from pathlib import Path

from harness.cli.routes import COVERAGE, TOUCHED, coverage

ROOT = Path(__file__).resolve().parents[3]


def test_coverage_table_is_up_to_date() -> None:
    """`docs/coverage.md` says exactly what the routes, the client and the recorded runs say; `harness routes --write` refreshes it."""
    assert (ROOT / COVERAGE).read_text() == coverage(ROOT / TOUCHED)
