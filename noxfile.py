"""Every check of this repository, by name: `nox` runs them all but `property` (which `unit` has in it), `coverage`, `fuzz` and `dry_run`.

`nox -s unit -- -k gate` runs one thing. With HARNESS_COVERAGE=DIR, whatever runs notes there which routes it touches, as `coverage` does.

The sessions use the environment that `uv sync --all-packages` made (`./run` does it): one resolution for tests, types and the dry run.
"""

import sys
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["warm", "lint", "types", "imports", "unit", "integration"]
nox.options.error_on_external_run = False
nox.options.reuse_existing_virtualenvs = True

PYTHON = sys.executable
TYPED = ["harness/src", "integration/src", *sorted(str(path) for path in Path("packages").glob("*/src"))]
NO_ENGINE = "not engine and not platform"
# Two workers. A file's tests stay together, so that each of its fixtures is made once; those on real parts in groups (conftest.py).
FILES, GROUPS = (["-q", "-n", "2", "--dist", dist] for dist in ("loadfile", "loadgroup"))
REAL_PARTS = "engine or platform"


@nox.session(venv_backend="none")
def warm(session: nox.Session) -> None:
    """Begin to make Spark's start-up cache, if there is none: a minute beside the next sessions; every start of Spark is shorter by it."""
    session.run(PYTHON, "-c", "from harness.engines.spark_aot import start_training; start_training()")


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.run(PYTHON, "-m", "ruff", "check", ".")
    session.run(PYTHON, "-m", "ruff", "format", "--check", ".")


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Strict types, of sources."""
    session.run(PYTHON, "-m", "mypy", *TYPED)


@nox.session(venv_backend="none")
def imports(session: nox.Session) -> None:
    """Who may import whom."""
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    session.run(PYTHON, "-c", command, env={"PYTHONPATH": "harness/src/harness/guest"})


@nox.session(venv_backend="none")
def unit(session: nox.Session) -> None:
    """Tests that start no engine, laws with them."""
    session.run(PYTHON, "-m", "pytest", *FILES, "-m", NO_ENGINE, *session.posargs)


@nox.session(venv_backend="none", name="property")
def properties(session: nox.Session) -> None:
    """Laws, checked by Hypothesis, that need no engine."""
    session.run(PYTHON, "-m", "pytest", *FILES, "-m", f"{NO_ENGINE} and property", *session.posargs)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """Tests on real parts: Spark, MLflow, served models, jobs, and the dry run with a small grid."""
    session.run(PYTHON, "-m", "pytest", *GROUPS, "-m", REAL_PARTS, "--durations=30", *session.posargs)


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Run every test, and write docs/coverage.md from what they touched."""
    with tempfile.TemporaryDirectory() as folder:
        for tests in ([*FILES, "-m", NO_ENGINE], [*GROUPS, "-m", REAL_PARTS]):
            session.run(PYTHON, "-m", "pytest", *tests, env={"HARNESS_COVERAGE": folder})
        session.run(PYTHON, "-m", "harness", "routes", "--write", "--runs", folder)


@nox.session(venv_backend="none")
def fuzz(session: nox.Session) -> None:
    """Served models asked 100,000 generated requests beside MLflow's own server; `nox -s fuzz -- COUNT [SEED]` asks others."""
    count, seed = [*session.posargs, *["100000", "1"][len(session.posargs) :]][:2]
    tests = [f"harness/tests/serving/test_serving_{name}.py" for name in ("differential", "fuzz")]
    variables = {"HARNESS_FUZZ_REQUESTS": count, "HARNESS_FUZZ_SEED": seed}
    session.run(PYTHON, "-m", "pytest", "-q", "--durations=20", *tests, env=variables)


@nox.session(venv_backend="none")
def dry_run(session: nox.Session) -> None:
    """The whole workflow with the full grid; arguments go to `dry-run`."""
    session.run(PYTHON, "-m", "dry_run", *session.posargs)
