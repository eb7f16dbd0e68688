"""`dbutils` as tasks find it, without a task."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.processes import GUEST

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.fixture(scope="module")
def runtime() -> Iterator[Any]:
    """`dbruntime`, on the path for these tests only: elsewhere `databricks.sdk.runtime` must not find it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(GUEST))
        import dbruntime.namespace
        import dbruntime.task_values

        yield dbruntime
    for name in [name for name in sys.modules if name.partition(".")[0] == "dbruntime"]:
        del sys.modules[name]


@pytest.fixture
def in_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of the task `train`."""
    monkeypatch.setenv("HARNESS_TASK_VALUES", str(tmp_path))
    monkeypatch.setenv("HARNESS_TASK_KEY", "train")
    return tmp_path


@given(values=st.dictionaries(st.text(), JSON.filter(lambda value: value is not None), max_size=4))
def test_whatever_has_a_json_form_is_got_as_it_was_set(runtime: Any, values: dict[str, object]) -> None:
    """Every key, every value."""
    task_values = runtime.task_values.TaskValues()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("HARNESS_TASK_VALUES", folder)
        patch.setenv("HARNESS_TASK_KEY", "train")
        for key, value in values.items():
            task_values.set(key, value)

        assert {key: task_values.get("train", key) for key in values} == values


def test_a_value_has_at_most_48_kib(runtime: Any, in_task: Path) -> None:
    """Of JSON."""
    task_values, most = runtime.task_values.TaskValues(), runtime.task_values.MAX_BYTES
    task_values.set("fits", "x" * (most - 2))

    with pytest.raises(ValueError, match=r"taskValues.set\('big'\): the value's JSON has 49153 bytes; at most 49152 are allowed"):
        task_values.set("big", "x" * (most - 1))
    with pytest.raises(ValueError, match="the value has no JSON form"):
        task_values.set("odd", {1, 2})
    assert [path.name for path in in_task.iterdir()] == ["train.json"]


@pytest.mark.usefixtures("in_task")
def test_a_value_that_is_not_there_is_the_default_or_an_error(runtime: Any) -> None:
    """In a job the debugValue does not count."""
    assert runtime.task_values.TaskValues().get("train", "x", default=0, debugValue=5) == 0
    with pytest.raises(ValueError, match="task 'train' has set no value 'x' in this run; it has set: nothing"):
        runtime.task_values.TaskValues().get("train", "x", debugValue=5)


def test_outside_of_a_job_values_are_for_debugging(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set does nothing, get returns debugValue."""
    monkeypatch.delenv("HARNESS_TASK_VALUES", raising=False)
    runtime.task_values.TaskValues().set("x", 1)

    assert runtime.task_values.TaskValues().get("train", "x", default=0, debugValue=5) == 5
    with pytest.raises(TypeError, match="debugValue"):
        runtime.task_values.TaskValues().get("train", "x", default=0)


def test_parts_of_dbutils_that_are_not_there_say_so(runtime: Any) -> None:
    """By their full name."""
    with pytest.raises(NotImplementedError, match=r"dbutils.credentials.assumeRole is not emulated"):
        _ = runtime.namespace.DBUtils().credentials.assumeRole
    with pytest.raises(NotImplementedError, match=r"sc\.parallelize is not emulated; serverless compute has Spark Connect only"):
        _ = runtime.UserNamespaceInitializer.getOrCreate().get_namespace_globals()["sc"].parallelize
