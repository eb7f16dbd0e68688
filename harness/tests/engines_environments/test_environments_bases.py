"""Bases for environment versions: what they hold, who gets one, and one that is really made."""

import json
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.config import Layout
from harness.engines.bases import SETTING, from_environment, platform_requirements
from harness.engines.environments import Environments
from harness.engines.platform_versions import PLATFORM, POSSIBLE
from harness.errors import UserError


@pytest.mark.parametrize("version", sorted(POSSIBLE))
def test_a_version_s_base_has_each_pin_once_and_what_reaches_the_engine(version: str) -> None:
    """All pins but those that cannot be kept; nothing is asked for twice."""
    asked = [Requirement(text) for text in platform_requirements(version)]

    names = [canonicalize_name(each.name) for each in asked]
    assert len(names) == len(set(names))
    assert {"pyspark-client", "ipython", "msgspec"} <= set(names)
    pinned = {canonicalize_name(each.name): each.specifier for each in asked}
    for name, specifier in PLATFORM[version].specifiers().items():
        assert (pinned.get(name) == specifier) is (name not in POSSIBLE[version])


@pytest.mark.parametrize(("given", "exact"), [(None, False), ("shared", False), ("platform", True)])
def test_the_user_s_setting_decides(monkeypatch: pytest.MonkeyPatch, given: str | None, *, exact: bool) -> None:
    """One base for all where nothing is said."""
    monkeypatch.delenv(SETTING, raising=False)
    if given is not None:
        monkeypatch.setenv(SETTING, given)

    assert from_environment() is exact


def test_another_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is accepted."""
    monkeypatch.setenv(SETTING, "4")

    with pytest.raises(UserError, match="HARNESS_ENVIRONMENTS=4: expected shared or platform"):
        from_environment()


@pytest.mark.platform
def test_a_task_of_a_version_gets_its_libraries_and_what_differs_is_told(tmp_path: Path) -> None:
    """Version 4, made by uv; version 2, of which none can be made, keeps the shared one."""
    environments = Environments(layout=Layout(tmp_path / "state").make(), exact=True)

    found, old = environments.overlay([], version="4"), environments.overlay([], version="2")

    code = "import json, pandas, sklearn, mlflow, sys; print(json.dumps([pandas.__version__, sklearn.__version__, mlflow.__version__]))"
    done = subprocess.run([str(found.python), "-c", code], capture_output=True, text=True, check=True)
    pandas, sklearn, mlflow = json.loads(done.stdout)
    assert (pandas, sklearn, mlflow.rpartition(".")[0]) == ("2.2.3", "1.6.1", "2.22")
    assert "databricks-connect 17.2.3 (here none)" in found.notes[0]
    assert "pandas" not in found.notes[0]
    assert old.python == environments.base().python
    assert "pandas 1.5.3 (here 2.3.3)" in old.notes[0]
