"""docs/faults.md names the tests that exist, and all of them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(r"^\| F(\d+) \|.*\| ([^|]+) \|$", (ROOT / "docs/faults.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def named() -> dict[str, set[str]]:
    """Return the tests that the table names, `file::test`, by fault."""
    return {number: set(re.findall(r"`([^`]+::test_[^`]+)`", tests)) for number, tests in ROWS}


def existing() -> dict[str, set[str]]:
    """Return the tests that are named after a fault, by fault."""
    found: dict[str, set[str]] = {}
    for folder in ("packages", "harness/tests", "integration/tests"):
        for path in sorted((ROOT / folder).rglob("test_*.py")):
            for name, number in re.findall(r"^def (test_f(\d\d)_\w+)\(", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
                found.setdefault(str(int(number)), set()).add(f"{path.relative_to(ROOT)}::{name}")
    return found


def test_every_fault_has_a_row() -> None:
    """F1 to F22, each once."""
    assert [number for number, _ in ROWS] == [str(number) for number in range(1, 23)]


def test_rows_name_the_tests_that_exist_and_all_of_them() -> None:
    """A renamed or a new test is missed here before a reader misses it."""
    assert named() == existing()
