"""Deployments that die at any call, and errors that must not be read as an absence."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from databricks.sdk.errors import InternalError, PermissionDenied, TooManyRequests, Unauthenticated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving_client import Deployer, DeploymentPlan, served_version
from serving_client.plan import target

ENDPOINT = "shop_returns"
Deploy = Callable[..., None]
KINDS = [
    pytest.param({"versions": ()}, id="new endpoint"),
    pytest.param({"versions": ("1",)}, id="second entity"),
    pytest.param({"versions": ("1",), "route_optimized": True}, id="route-optimized"),
    pytest.param({"versions": ("1",), "most_entities": 1}, id="swap"),
]


def made(make_platform: Callable[..., Any], kind: dict[str, Any]) -> Any:
    """A platform of this kind whose challenger is version 2."""
    platform = make_platform(*kind["versions"], **{key: value for key, value in kind.items() if key != "versions"})
    platform.aliases["Challenger"] = "2"
    return platform


def calls_of(make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any]) -> int:
    """How many calls an undisturbed deployment makes."""
    platform = made(make_platform, kind)
    deploy(platform, "2")
    return int(platform.count)


def dies(platform: Any, deploy: Deploy, way: str, at: int) -> None:
    """Deploy version 2 in a process that dies at a call."""
    platform.count = 0
    setattr(platform, way, at)
    with pytest.raises(platform.Died):
        deploy(platform, "2")
    platform.dies_before = platform.dies_after = None


def end_of(platform: Any) -> tuple[Any, ...]:
    """What a deployment leaves."""
    logged = platform.endpoints[ENDPOINT].ai_gateway is not None
    return list(platform.endpoints), platform.serving(), platform.aliases, logged, platform.breaches


END: tuple[Any, ...] = ([ENDPOINT], {"returns-2": 100}, {"Champion": "2"}, True, [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["dies_before", "dies_after"])
def test_f04_run_that_died_at_any_call_is_finished_by_the_next(
    make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any], way: str
) -> None:
    """From every call at which a deployment can die, before or after its effect, the next run comes to the same end."""
    calls = calls_of(make_platform, deploy, kind)
    assert calls > 8
    for at in range(calls) if way == "dies_before" else range(1, calls + 1):
        platform = made(make_platform, kind)
        dies(platform, deploy, way, at)
        deploy(platform, "2")
        assert end_of(platform) == END, f"{way} call {at}: {platform.calls}"


@pytest.mark.parametrize("kind", KINDS)
def test_f04_any_number_of_deaths_ends_in_the_same_state(make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any]) -> None:
    """Also runs that die again and again break no rule on the way, and the one that lives comes to the same end."""
    least = calls_of(make_platform, deploy, {"versions": ("2",)})  # what a run makes at least, whatever it finds

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.integers(1, least - 1), min_size=1, max_size=4))
    def check(deaths: list[int]) -> None:
        platform = made(make_platform, kind)
        for at in deaths:
            dies(platform, deploy, "dies_before", at)
        deploy(platform, "2")
        assert end_of(platform) == END

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_f04_failure_at_any_call_leaves_what_served(make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any]) -> None:
    """An error of any one call up to the alias leaves traffic, aliases and endpoints as they were; after it, the new state."""
    platform = made(make_platform, kind)
    before: tuple[Any, ...] = list(platform.endpoints), platform.serving() if platform.endpoints else {}, dict(platform.aliases), []
    restored = 0
    for at in range(calls_of(make_platform, deploy, kind)):
        platform = made(make_platform, kind)
        _fail_at(platform, at)
        with pytest.raises(PermissionDenied):
            deploy(platform, "2")
        if platform.aliases.get("Champion") == "2":
            assert platform.serving() == {"returns-2": 100}
        else:
            found = list(platform.endpoints), platform.serving() if platform.endpoints else {}, platform.aliases, platform.breaches
            assert found == before, f"call {at}: {platform.calls}"
            restored += 1
    assert restored > 8


def _fail_at(platform: Any, at: int) -> None:
    raised: list[str] = []

    def fault(name: str) -> None:
        if platform.count == at and not raised:
            raised.append(name)
            raise PermissionDenied("not you")

    platform.fault = fault


class TrafficFirst(Deployer):
    """The faulty way: traffic and alias first, then a look whether it answers."""

    def deploy(self, plan: DeploymentPlan, example: Mapping[str, Any]) -> None:
        """Move the traffic, then ask."""
        endpoint = self._endpoint(plan.endpoint)
        self.registry.set_registered_model_alias(plan.model, "Champion", plan.version)
        endpoint.update(target(plan), "serve", wants=plan.entity_name)
        self._ask(plan, example, where=plan.endpoint, served_entity=None)


def test_f04_traffic_first_breaks_the_rules(platform: Any, deploy: Deploy) -> None:
    """The rules above are such that the reference's order of steps breaks them."""
    deploy(platform, "2", kind=TrafficFirst)
    assert platform.breaches == [
        "Champion is version 2 while the traffic is {'returns-1': 100}",
        "returns-2 has traffic and was never verified",
    ]


ERRORS = [
    Unauthenticated("token expired"),
    PermissionDenied("no CAN_VIEW"),
    TooManyRequests("busy"),
    InternalError("fault"),
    TimeoutError("300 s"),
]


def _unreachable(platform: Any, error: Exception) -> None:
    def fault(name: str) -> None:
        if name.startswith("get "):
            raise error

    platform.fault = fault


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_f07_only_not_found_means_that_there_is_no_endpoint(platform: Any, deploy: Deploy, error: Exception) -> None:
    """No permission, a throttled call or an outage is raised as what it is; nothing is created or changed."""
    _unreachable(platform, error)
    with pytest.raises(type(error)) as raised:
        deploy(platform, "2")
    assert raised.value is error
    assert platform.calls == []
    with pytest.raises(type(error)):
        served_version(platform, ENDPOINT, model="main.shop.returns")


class AnythingMeansMissing(Deployer):
    """The faulty way: whatever goes wrong when looking is read as "does not exist"."""

    def deploy(self, plan: DeploymentPlan, example: Mapping[str, Any]) -> None:
        """Create when the look fails."""
        assert example
        endpoint = self._endpoint(plan.endpoint)
        try:
            endpoint.find()
        except Exception:  # noqa: BLE001 - the fault that the rule is about
            endpoint.create(target(plan), wants=plan.entity_name)


def test_f07_catching_everything_breaks_the_rule(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """The check above catches the reference's `except Exception`: it creates where it may not even look."""
    platform = make_platform()
    _unreachable(platform, PermissionDenied("no CAN_VIEW"))
    with pytest.raises(PermissionDenied):
        deploy(platform, "2", kind=AnythingMeansMissing)
    assert platform.calls == [f"create {ENDPOINT}"]


@pytest.mark.parametrize("error", ERRORS[:3], ids=lambda error: type(error).__name__)
def test_f07_refused_caller_is_no_bad_version(platform: Any, deploy: Deploy, error: Exception) -> None:
    """When the check itself may not be sent, that is the error, not a version that fails its verification."""
    platform.answers["returns-2"] = error
    with pytest.raises(type(error)):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}
