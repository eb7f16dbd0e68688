"""The examples that a reader copies."""

import doctest
from importlib import import_module
from pathlib import Path


def test_the_readmes_example_runs() -> None:
    """What the README prints is what comes out."""
    assert doctest.testfile(str(Path(__file__).parents[1] / "README.md"), module_relative=False).failed == 0


def test_examples_in_docstrings_run() -> None:
    """What a docstring prints is what comes out."""
    result = doctest.testmod(import_module("taxi_fare_training.names"))
    assert (result.failed, result.attempted > 0) == (0, True)
