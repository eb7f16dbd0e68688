"""Each package builds to a wheel, and installs and imports alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "features": ("taxi_fare_features", ()),
    "training": ("taxi_fare_training", ("features",)),
    "serving-client": ("serving_client", ()),
    "monitoring-unpacker": ("monitoring_unpacker", ()),
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four wheels and the harness's, built once."""
    folder = tmp_path_factory.mktemp("wheels")
    for source in [*(ROOT / "packages" / name for name in PACKAGES), ROOT / "harness"]:
        _run(find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", str(folder), str(source))
    return folder


@pytest.mark.platform
@pytest.mark.parametrize("name", PACKAGES)
def test_package_installs_and_imports_alone(name: str, wheels: Path, tmp_path: Path) -> None:
    """A fresh environment that holds one wheel and what it declares can import it, without Spark."""
    module, siblings = PACKAGES[name]
    _run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    python = tmp_path / "venv" / "bin" / "python"
    mine = [str(_wheel(wheels, part)) for part in (name, *siblings)]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("mlflow-skinny==3.17.2\ndatabricks-sdk==0.156.0\nscikit-learn==1.9.1\n")
    _run(find_uv_bin(), "pip", "install", "--quiet", "--python", str(python), "--constraint", str(constraints), *mine)

    shown = _run(str(python), "-c", f"import sys, {module}; print({module}.__name__, 'pyspark' in sys.modules)")

    assert shown.split() == [module, "False"]


@pytest.mark.platform
def test_harness_wheel_holds_what_is_not_python(wheels: Path) -> None:
    """The Java sources and the page's template travel in the wheel."""
    listing = _run(sys.executable, "-m", "zipfile", "-l", str(next(wheels.glob("workspace_harness-*.whl"))))

    assert ".java" in listing
    assert ".html.j2" in listing


def _wheel(folder: Path, name: str) -> Path:
    distribution = {"features": "taxi_fare_features", "training": "taxi_fare_training"}.get(name, name.replace("-", "_"))
    return next(folder.glob(f"{distribution}-*.whl"))


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
