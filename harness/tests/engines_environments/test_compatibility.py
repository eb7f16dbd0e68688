"""`harness env check`: wheels and an index written by hand, so that uv resolves without a network."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli import environments
from harness.engines.platform_versions import PLATFORM, allowed

MakeWheel = Callable[..., Path]
Check = Callable[..., tuple[int, dict[str, dict[str, Any]]]]


@pytest.fixture(autouse=True)
def index(make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An index with a few versions of what the platform pins, and no other."""
    for name, versions in {
        "pandas": ("1.5.3", "2.2.3", "2.3.3"),
        "numpy": ("1.23.5", "1.26.4", "2.1.3", "2.3.4"),
        "pyspark": ("4.0.0",),
    }.items():
        for version in versions:
            folder = make_wheel(name, "", version=version).parent
    make_wheel("frames", "", requires=("numpy>=2.3",))
    settings = tmp_path / "uv.toml"
    settings.write_text(f'[pip]\nno-index = true\nfind-links = ["{folder}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(settings))


@pytest.fixture
def check() -> Check:
    """Return a function that runs the command and returns its exit status and, by wheel, the verdicts by version."""
    import typer

    app = typer.Typer()
    environments.mount(app)

    def run(*arguments: object) -> tuple[int, dict[str, dict[str, Any]]]:
        done = CliRunner().invoke(app, ["env", "check", "--json", *map(str, arguments)])
        found = json.loads(done.stdout) if done.stdout else []
        return done.exit_code, {each["name"]: {verdict["version"]: verdict for verdict in each["versions"]} for each in found}

    return run


def statuses(verdicts: dict[str, Any]) -> dict[str, str]:
    """Return the status by version."""
    return {version: verdict["status"] for version, verdict in verdicts.items()}


def test_pins_that_stand_in_the_way_are_named(check: Check, make_wheel: MakeWheel) -> None:
    """With who wants another version; a wheel that fits some version is fine."""
    status, found = check("--wheel", make_wheel("probe", "import pandas", requires=("pandas>=2.2", "numpy>=1.26")))

    assert (status, statuses(found["probe"])) == (0, {"2": "conflict", "3": "ok", "4": "ok", "5": "ok", "6": "ok"})
    assert found["probe"]["2"]["details"][:2] == [
        "pandas 1.5.3 is pinned; probe (pandas>=2.2) needs for instance 2.3.3",
        "numpy 1.23.5 is pinned; probe (numpy>=1.26) needs for instance 2.3.4",
    ]


def test_what_is_asked_for_decides_the_exit_status(check: Check, make_wheel: MakeWheel) -> None:
    """1 when it would not install on the version asked for; pins in the way of what a dependency depends on are named too."""
    status, found = check("--version", 4, "--wheel", make_wheel("probe", "import frames", requires=("frames",)))

    assert (status, statuses(found["probe"])) == (1, {"4": "conflict"})
    assert found["probe"]["4"]["details"] == [
        "numpy 2.1.3 is pinned; what it depends on needs for instance 2.3.4",
        "pip would replace this there, at each start",
    ]


@pytest.mark.parametrize(
    ("source", "requires", "version", "status", "detail"),
    [
        pytest.param("", ("pandas>=9",), "5", "conflict", "cannot be installed on Python 3.12, whatever the pins", id="no such version"),
        pytest.param("", ("pyspark",), "5", "conflict", "brings pyspark, which must not be installed on serverless compute", id="pyspark"),
        pytest.param("import typer", (), "5", "imports", "probe imports 'typer', which nothing that it declares provides", id="undeclared"),
        pytest.param("import numpy", (), "5", "ok", "", id="pinned by the platform"),
        pytest.param("import pyspark.sql, databricks.sdk, json, probe", (), "5", "ok", "", id="always there"),
        pytest.param("try:\n    import typer\nexcept ImportError:\n    typer = None", (), "5", "ok", "", id="tried"),
        pytest.param("def later():\n    import typer", (), "5", "ok", "", id="later"),
    ],
)
def test_each_reason_is_told_apart(
    check: Check, make_wheel: MakeWheel, source: str, requires: tuple[str, ...], version: str, status: str, detail: str
) -> None:
    """Not to be had, forbidden, not declared – or fine."""
    code, found = check("--version", version, "--wheel", make_wheel("probe", source, requires=requires))

    assert (code, found["probe"][version]["status"]) == (0 if status == "ok" else 1, status)
    assert "; ".join(found["probe"][version]["details"]).startswith(detail)


def test_a_python_that_does_not_fit_is_named(check: Check, make_wheel: MakeWheel) -> None:
    """By what the wheel requires and what the version has."""
    status, found = check("--wheel", make_wheel("probe", "", python=">=3.12"))

    assert (status, statuses(found["probe"])) == (0, {"2": "python", "3": "ok", "4": "ok", "5": "ok", "6": "ok"})
    assert found["probe"]["2"]["details"] == ["probe requires Python >=3.12; version 2 has 3.11"]


def test_wheels_of_one_project_find_each_other(check: Check, make_wheel: MakeWheel) -> None:
    """Though no index has them."""
    shared = make_wheel("probe-shared", "import numpy", requires=("numpy>=2",))
    main = make_wheel("probe-main", "import probe_shared", requires=("probe-shared",))

    status, found = check("--version", 5, "--wheel", main, "--wheel", shared)

    assert (status, {name: statuses(each) for name, each in found.items()}) == (0, {"probe-main": {"5": "ok"}, "probe-shared": {"5": "ok"}})


def test_without_a_network_nothing_is_claimed(check: Check, make_wheel: MakeWheel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 2, and why."""
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")

    status, found = check("--version", 5, "--wheel", make_wheel("probe", "", requires=("on-no-disk-of-mine",)))

    assert (status, statuses(found["probe"])) == (2, {"5": "unknown"})
    assert found["probe"]["5"]["details"][0].startswith("no package index was reached, so nothing was resolved; ")


BUNDLE = """
bundle: {{name: probe}}
resources:
  jobs:
    nightly:
      name: nightly
      tasks:
        - {{task_key: a, environment_key: main, python_wheel_task: {{package_name: probe, entry_point: main}}}}
      environments:
        - environment_key: main
          spec: {{environment_version: "{version}", dependencies: [./{wheel}, "-r requirements.txt"]}}
"""


@pytest.mark.parametrize(("version", "status"), [("2", 1), ("5", 0)])
def test_a_bundles_jobs_count_on_the_version_that_they_declare(
    check: Check, make_wheel: MakeWheel, tmp_path: Path, version: str, status: int
) -> None:
    """All versions are shown."""
    wheel = make_wheel("probe", "import pandas", requires=("pandas>=2",))
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / wheel.name).write_bytes(wheel.read_bytes())
    (bundle / "requirements.txt").write_text("numpy\n")
    (bundle / "databricks.yml").write_text(BUNDLE.format(version=version, wheel=wheel.name))

    code, found = check("--bundle", bundle)

    assert code == status
    assert list(statuses(found["nightly.main"])) == ["2", "3", "4", "5", "6"]


def test_a_pin_allows_what_the_platform_patches() -> None:
    """`~=`, of three parts."""
    assert (allowed("2.2.3").contains("2.2.9"), allowed("2.2.3").contains("2.3.0")) == (True, False)
    assert (allowed("0.49").contains("0.49.7"), allowed("0.49").contains("0.50.0")) == (True, False)
    assert (PLATFORM["2"].python, PLATFORM["6"].pins["numpy"]) == ("3.11", "2.3.4")
