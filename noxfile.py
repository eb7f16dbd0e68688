"""Every check of this repository, by name: `nox` runs them all but `coverage`, `fuzz` and `dry_run`.

`nox -s unit -- -k gate` runs one thing.

The sessions use the environment that `uv sync --all-packages` made (`./run` does it): one resolution for tests, types and the dry run.
"""

import sys
import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "unit", "property", "integration"]
nox.options.error_on_external_run = False
nox.options.reuse_existing_virtualenvs = True

PYTHON = sys.executable
TYPED = ["harness/src", "integration/src", *sorted(str(path) for path in Path("packages").glob("*/src"))]
NO_ENGINE = "not engine and not platform"
# Workers side by side. A file's tests stay together, so that each of its fixtures is made once; each worker has a harness of its own.
SIDE_BY_SIDE = ["-n", "2", "--dist", "loadfile"]
# In processes apart: mlflow keeps the Spark session and the workspace that it met first, and these meet others.
APART = [["packages", "harness/tests"], ["integration/tests"]]


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
    """Tests that start no engine and draw no examples; seconds."""
    session.run(PYTHON, "-m", "pytest", "-q", *SIDE_BY_SIDE, "-m", f"{NO_ENGINE} and not property", *session.posargs)


@nox.session(venv_backend="none", name="property")
def properties(session: nox.Session) -> None:
    """Laws, checked by Hypothesis, that need no engine."""
    session.run(PYTHON, "-m", "pytest", "-q", *SIDE_BY_SIDE, "-m", f"{NO_ENGINE} and property", *session.posargs)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """Tests on real parts: Spark, MLflow, served models, jobs, and the dry run with a small grid."""
    for tests in APART:
        command = ["-q", *SIDE_BY_SIDE, "-m", "engine or platform", "--durations=15", *tests, *session.posargs]
        session.run(PYTHON, "-m", "pytest", *command, success_codes=[0, 5] if session.posargs else [0])  # 5: what is asked for is elsewhere


@nox.session(venv_backend="none")
def coverage(session: nox.Session) -> None:
    """Run every test that calls a harness, and write docs/coverage.md from what they touched."""
    with tempfile.TemporaryDirectory() as folder:
        for tests in APART:
            runs = Path(folder) / Path(tests[-1]).parent
            runs.mkdir()
            session.run(PYTHON, "-m", "pytest", "-q", *SIDE_BY_SIDE, *tests, env={"HARNESS_COVERAGE": str(runs)})
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
