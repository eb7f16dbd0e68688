"""Base environment and overlays, made with uv; wheels are written by hand."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from harness.config import Layout
from harness.engines.environments import Environment, Environments
from harness.errors import UserError

pytestmark = pytest.mark.platform  # needs the base environment, made once with uv

MakeWheel = Callable[..., Path]


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """Environments of a fresh state folder on the user's base environment."""
    return Environments(layout=Layout(tmp_path / "state").make())


def says(environment: Environment, code: str) -> str:
    """Run `code` in an environment and return what it prints, or its last line of error."""
    program = f"import sys; sys.path[:0] = {[str(folder) for folder in environment.path]}\n{code}"
    with NamedTemporaryFile("w", suffix=".py") as file:  # not `python -c`: there the Connect client believes that doctests are run
        file.write(program)
        file.flush()
        done = subprocess.run([str(environment.python), file.name], capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).strip().splitlines()[-1]


def test_the_base_holds_what_tasks_and_models_need(environments: Environments) -> None:
    """And nothing of the harness's own."""
    base = environments.base()

    assert says(base, "import mlflow, sklearn, pandas, databricks.sdk, pyspark.sql.connect, orjson; print(mlflow.__version__)") == "3.17.2"
    assert says(base, "import typer").startswith("ModuleNotFoundError")


def test_what_the_base_satisfies_needs_no_overlay(environments: Environments) -> None:
    """With the difference to the platform's version told in one line."""
    found = environments.overlay(["pandas>=2", "databricks-sdk"], version="5")

    assert found.path == ()
    assert len(found.notes) == 1
    assert "pandas 2.2.3 (here 2.3.3)" in found.notes[0]


def test_wheels_given_together_satisfy_each_other(environments: Environments, make_wheel: MakeWheel) -> None:
    """No index is asked for a package whose wheel is in the list."""
    features = make_wheel("probe-features", "RULES = 6", requires=("pandas>=2",))
    training = make_wheel(
        "probe-training", "import probe_features\nRULES = probe_features.RULES", requires=("probe-features", "scikit-learn>=1.6")
    )

    found = environments.overlay([str(training), str(features)], version="4")

    assert says(found, "import probe_training; print(probe_training.RULES)") == "6"
    assert sorted(folder.name for folder in found.path[0].iterdir() if folder.suffix == ".dist-info") == [
        "probe_features-1.0.dist-info",
        "probe_training-1.0.dist-info",
    ]


def test_an_undeclared_dependency_is_not_there(environments: Environments, make_wheel: MakeWheel) -> None:
    """It fails at import, as on the platform, though the harness itself has it."""
    wheel = make_wheel("probe-forgets", "import typer")

    assert says(environments.overlay([str(wheel)], version="4"), "import probe_forgets") == "ModuleNotFoundError: No module named 'typer'"


def test_an_unchanged_environment_is_reused_and_a_rebuilt_wheel_is_not(environments: Environments, make_wheel: MakeWheel) -> None:
    """The same name and version with other content is another environment."""
    wheel = str(make_wheel("probe", "V = 1"))
    first = environments.overlay([wheel], version="4")
    started = time.perf_counter()
    again = environments.overlay([wheel], version="4")
    seconds = time.perf_counter() - started
    other = environments.overlay([str(make_wheel("probe", "V = 2"))], version="4")

    assert again == first
    assert seconds < 0.5  # milliseconds; a loaded machine may take longer
    assert (says(first, "import probe; print(probe.V)"), says(other, "import probe; print(probe.V)")) == ("1", "2")


def test_a_half_made_overlay_is_made_again(environments: Environments, make_wheel: MakeWheel) -> None:
    """A process that was killed while it installed leaves nothing that the next run trips over."""
    wheel = str(make_wheel("probe", "V = 1"))
    found = environments.overlay([wheel], version="4")
    (found.path[0] / ".complete").unlink()
    (found.path[0] / "probe.py").unlink()

    assert says(environments.overlay([wheel], version="4"), "import probe; print(probe.V)") == "1"


def test_a_package_in_another_version_replaces_the_bases(environments: Environments, make_wheel: MakeWheel) -> None:
    """And the environment says so."""
    found = environments.overlay([str(make_wheel("orjson", "mine = True", version="0.1"))], version="4")

    assert found.replaces == {"orjson"}
    assert says(found, "import orjson; print(orjson.mine)") == "True"


@pytest.mark.parametrize(
    ("dependencies", "version", "message"),
    [
        pytest.param(["pandas=2"], "4", "dependencies: 'pandas=2' is not a requirement", id="not a requirement"),
        pytest.param(["pandas"], "7", "environment_version '7' is not known; expected one of 1, 2, 3, 4, 5, 6", id="unknown version"),
        pytest.param(["/nowhere/x-1-py3-none-any.whl"], "4", "/nowhere/x-1-py3-none-any.whl: not a wheel", id="no such wheel"),
        pytest.param(["-r /nowhere/requirements.txt"], "4", "/nowhere/requirements.txt: no such requirements file", id="no such file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    environments: Environments, dependencies: list[str], version: str, message: str
) -> None:
    """Where, what, what was expected."""
    with pytest.raises(UserError, match=message):
        environments.overlay(dependencies, version=version)


def test_requirements_that_contradict_each_other_are_told_with_uvs_words(environments: Environments, make_wheel: MakeWheel) -> None:
    """The last lines of uv, and what to do."""
    wheel = make_wheel("probe", "", requires=("pandas==2.2.3", "pandas==2.2.2"))

    with pytest.raises(UserError, match=r"(?s)probe-1.0-py3-none-any.whl could not be installed.*uv: .*Correct the dependency named above"):
        environments.overlay([str(wheel)], version="4")


def test_a_model_runs_on_the_base_when_that_satisfies_its_requirements(environments: Environments, tmp_path: Path) -> None:
    """`mlflow` is satisfied by `mlflow-skinny` of the same version; comments and blank lines are nothing."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("mlflow==3.17.2\n# made by mlflow\n\nscikit-learn==1.9.1\n")

    found = environments.model_environment(requirements)

    assert (found.path, found.notes) == ((), ("runs on the base environment, which satisfies the model's requirements",))


def test_a_model_that_needs_more_gets_an_environment_of_its_own(environments: Environments, make_wheel: MakeWheel, tmp_path: Path) -> None:
    """And says what was lacking."""
    wheel = make_wheel("probe-lib", "V = 3")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"mlflow==3.17.2\nprobe-lib @ {wheel.as_uri()}\n")

    found = environments.model_environment(requirements)

    assert says(found, "import probe_lib; print(probe_lib.V)") == "3"
    assert found.notes[0].startswith("runs on an environment of its own, because the base lacks probe-lib")
