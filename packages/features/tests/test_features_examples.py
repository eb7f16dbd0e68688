"""The examples that a reader copies."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest


def test_the_readmes_example_runs() -> None:
    """What the README prints is what comes out."""
    assert doctest.testfile(str(Path(__file__).parents[1] / "README.md"), module_relative=False).failed == 0


@pytest.mark.parametrize("module", ["keys", "plain", "sql"])
def test_examples_in_docstrings_run(module: str) -> None:
    """What a docstring prints is what comes out."""
    result = doctest.testmod(import_module(f"taxi_fare_features.{module}"))
    assert (result.failed, result.attempted > 0) == (0, True)
