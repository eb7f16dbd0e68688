"""How failures of the registry are told apart, and when loading is tried again."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from databricks.sdk.errors import PermissionDenied, TemporarilyUnavailable
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.entities import PagedList

from taxi_fare_training.unity_registry import UnityRegistry, with_back_off


def failing(*failures: Exception) -> Callable[[], str]:
    """Return a load that fails in these ways, then succeeds."""
    waiting = list(failures)

    def load() -> str:
        if waiting:
            raise waiting.pop(0)
        return "model"

    return load


def rest(code: str) -> RestException:
    return RestException({"error_code": code, "message": f"registry says {code}"})


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that were made."""
    return []


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(rest("TEMPORARILY_UNAVAILABLE"), id="unavailable"),
        pytest.param(rest("REQUEST_LIMIT_EXCEEDED"), id="throttled"),
        pytest.param(TemporarilyUnavailable("cold"), id="sdk: unavailable"),
        pytest.param(ConnectionError("reset"), id="connection"),
    ],
)
def test_passing_failures_are_tried_again_with_growing_pauses(failure: Exception, pauses: list[float]) -> None:
    """1, 2 and 4 seconds, then the model."""
    load = failing(failure, failure, failure)
    assert with_back_off(load, report=lambda _: None, sleep=pauses.append, jitter=lambda: 0.0) == "model"
    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(rest("PERMISSION_DENIED"), id="permission"),
        pytest.param(rest("RESOURCE_DOES_NOT_EXIST"), id="no such version"),
        pytest.param(PermissionDenied("no"), id="sdk: permission"),
        pytest.param(ValueError("broken"), id="broken model"),
    ],
)
def test_lasting_failures_are_raised_at_once(failure: Exception, pauses: list[float]) -> None:
    """Waiting gives nobody a permission."""
    with pytest.raises(type(failure)):
        with_back_off(failing(failure), report=lambda _: None, sleep=pauses.append)
    assert pauses == []


def test_the_last_attempt_raises_what_it_met(pauses: list[float]) -> None:
    """Six attempts, five pauses, then the error itself; every pause is reported."""
    lines: list[str] = []
    with pytest.raises(ConnectionError, match="still down"):
        with_back_off(failing(*[ConnectionError("still down")] * 6), report=lines.append, sleep=pauses.append, jitter=lambda: 1.0)
    assert pauses == [1.5, 3.0, 6.0, 12.0, 24.0]
    assert lines[0] == "loading failed (still down); attempt 2 of 6 in 1.5 s"


class Versions:
    """A client that knows these versions of a model, and tells of two at a time."""

    def __init__(self, **sources: str) -> None:
        self.sources = [SimpleNamespace(version=version.removeprefix("v"), source=source) for version, source in sources.items()]

    def search_model_versions(self, filter_string: str, *, page_token: str | None = None) -> PagedList:
        assert filter_string == "name='a.b.c'"
        start = int(page_token or 0)
        more = str(start + 2) if start + 2 < len(self.sources) else None
        return PagedList(self.sources[start : start + 2], more)


def test_logged_model_that_a_former_try_registered_keeps_its_version() -> None:
    """A validate task that died after registering does not make a second version of the same model."""
    client = Versions(v9="models:/m-1", v10="models:/m-2", v11="models:/m-3")
    unity = UnityRegistry(client=client, report=lambda _: None)  # type: ignore[arg-type]  # part of it
    assert [unity.register(f"models:/m-{number}", "a.b.c") for number in (2, 3)] == ["10", "11"]


class Failing:
    """A client whose look-ups fail, and which nobody may change."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def get_model_version_by_alias(self, name: str, alias: str) -> object:  # noqa: ARG002 - MLflow's signature
        raise self._failure

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        raise AssertionError((name, alias, version))

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        raise AssertionError((name, alias))


def registry(failure: Exception) -> UnityRegistry:
    return UnityRegistry(client=Failing(failure), report=lambda _: None)


def test_f07_only_does_not_exist_means_that_there_is_no_alias() -> None:
    """The one answer that says so."""
    assert registry(rest("RESOURCE_DOES_NOT_EXIST")).version_with_alias("a.b.c", "Champion") is None


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(rest("TEMPORARILY_UNAVAILABLE"), id="outage"),
        pytest.param(rest("PERMISSION_DENIED"), id="permission"),
        pytest.param(rest("UNAUTHENTICATED"), id="authentication"),
        pytest.param(rest("REQUEST_LIMIT_EXCEEDED"), id="throttling"),
        pytest.param(rest("NOT_FOUND"), id="another kind of absence"),
        pytest.param(MlflowException("unexpected"), id="client"),
    ],
)
def test_f07_every_other_failure_of_the_look_up_is_raised(failure: MlflowException) -> None:
    """A registry that cannot answer has not said that there is no Champion."""
    with pytest.raises(type(failure)):
        registry(failure).version_with_alias("a.b.c", "Champion")


def test_removing_an_alias_that_nobody_carries_is_no_error() -> None:
    """It is not there, which is what was asked for: no deletion is sent."""
    registry(rest("RESOURCE_DOES_NOT_EXIST")).remove_alias("a.b.c", "Challenger")
