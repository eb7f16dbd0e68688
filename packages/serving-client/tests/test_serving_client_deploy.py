"""Deployments against an endpoint that behaves as the platform's does, without a network."""

from collections.abc import Callable
from typing import Any

import pytest
from databricks.sdk.errors import BadRequest, InternalError, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service.serving import AiGatewayConfig, EndpointTag, ServingEndpointDetailed

from serving_client import DeploymentPlan, ServingError, VerificationFailed, Watch
from serving_client.helper import TAG

ENDPOINT, HELPER = "shop_returns", "shop_returns-next"
Deploy = Callable[..., None]
CHECKED = ["query shop_returns", "query shop_returns"]


def test_first_version_is_verified_on_an_endpoint_of_its_own(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """Where nothing serves there is no 0 %: the endpoint comes to be when its version has answered elsewhere."""
    platform = make_platform()
    deploy(platform, "1")
    assert platform.calls == [
        f"create {HELPER}",
        f"query {HELPER}",
        f"delete {HELPER}",
        f"create {ENDPOINT}",
        *CHECKED,
        "put_ai_gateway",
        "alias Champion 1",
        "no alias Challenger",
    ]
    assert platform.endpoints[ENDPOINT].route_optimized is False
    table = platform.endpoints[ENDPOINT].ai_gateway.inference_table_config
    assert (table.catalog_name, table.schema_name, table.table_name_prefix, table.enabled) == ("main", "shop", ENDPOINT, True)
    assert platform.breaches == []


def test_new_version_answers_before_it_gets_traffic(platform: Any, deploy: Deploy) -> None:
    """The second version loads at 0 %, is asked by its own name, gets the traffic, is watched, then stands alone."""
    deploy(platform, "2")
    assert platform.calls == [
        "update {'returns-1': 100, 'returns-2': 0}",
        f"query {ENDPOINT} returns-2",
        "update {'returns-1': 0, 'returns-2': 100}",
        *CHECKED,
        "update {'returns-2': 100}",
        "alias Champion 2",
    ]
    assert platform.breaches == []


def test_deploying_what_serves_changes_nothing(platform: Any, deploy: Deploy) -> None:
    """A second run asks the endpoint again and changes neither it nor the aliases."""
    deploy(platform, "1")
    assert platform.calls == [f"query {ENDPOINT} returns-1", f"query {ENDPOINT}"]


def test_every_check_has_an_id_of_its_own(platform: Any, deploy: Deploy) -> None:
    """Checks can be told from uses of the model, and from each other."""
    platform.request_ids.clear()
    deploy(platform, "2")
    assert len(set(platform.request_ids)) == 3
    assert all(name.startswith("deployment-check-returns-2-") for name in platform.request_ids)


def test_f03_version_of_a_route_optimized_endpoint_is_verified_apart(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """The data plane cannot ask one entity: the version answers on a helper endpoint, then stands at 0 %, then gets the traffic."""
    platform = make_platform("1", route_optimized=True)
    deploy(platform, "2")
    assert platform.calls == [
        f"create {HELPER}",
        f"query {HELPER}",
        f"delete {HELPER}",
        "update {'returns-1': 100, 'returns-2': 0}",
        "update {'returns-1': 0, 'returns-2': 100}",
        *CHECKED,
        "update {'returns-2': 100}",
        "alias Champion 2",
    ]
    assert platform.breaches == []
    assert platform.endpoints[ENDPOINT].route_optimized is True


def test_endpoint_that_refuses_a_second_entity_is_swapped(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """Where no entity can be added, the version is verified on a helper endpoint and replaces what serves in one update."""
    platform = make_platform("1", most_entities=1)
    deploy(platform, "2")
    assert platform.calls == [
        "update {'returns-1': 100, 'returns-2': 0}",
        f"create {HELPER}",
        f"query {HELPER}",
        f"delete {HELPER}",
        "update {'returns-2': 100}",
        *CHECKED,
        "alias Champion 2",
    ]
    assert platform.breaches == []


def test_other_models_entity_of_the_same_name_is_replaced(platform: Any, deploy: Deploy) -> None:
    """`dev.shop.returns` version 2 is not `main.shop.returns` version 2: it is neither taken for it nor asked in its place."""
    platform.endpoints[ENDPOINT].config.served_entities[0].entity_name = "dev.shop.returns"
    deploy(platform, "1")
    assert platform.calls[:4] == [f"create {HELPER}", f"query {HELPER}", f"delete {HELPER}", "update {'returns-1': 100}"]
    assert platform.endpoints[ENDPOINT].config.served_entities[0].entity_name == "main.shop.returns"


def test_somebody_elses_endpoint_is_never_a_helper(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """An endpoint that happens to have the helper's name is neither used nor deleted."""
    platform = make_platform("1", most_entities=1)
    platform.endpoints[HELPER] = ServingEndpointDetailed(name=HELPER, tags=[EndpointTag(key=TAG, value="another")])
    with pytest.raises(ServingError, match="shop_returns-next exists and is no helper of shop_returns"):
        deploy(platform, "2")
    assert HELPER in platform.endpoints
    assert platform.serving() == {"returns-1": 100}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(BadRequest("Model is missing inputs ['weight']"), id="refuses the request"),
        pytest.param({"predictions": [1.0]}, id="too few predictions"),
        pytest.param({"predictions": [1.0, float("nan")]}, id="NaN"),
        pytest.param({"predictions": [1.0, None]}, id="null"),
        pytest.param({"outputs": []}, id="no predictions"),
    ],
)
@pytest.mark.parametrize("kind", [{}, {"route_optimized": True}, {"most_entities": 1}], ids=["beside", "route-optimized", "swap"])
def test_bad_answer_never_gets_traffic(make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any], answer: object) -> None:
    """A version that does not answer well is unloaded again, its helper is deleted and the Champion stays."""
    platform = make_platform("1", **kind)
    platform.answers["returns-2"] = answer
    with pytest.raises(VerificationFailed, match="version 2"):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}
    assert platform.aliases["Champion"] == "1"
    assert not [call for call in platform.calls if "'returns-2': 100" in call]
    assert list(platform.endpoints) == [ENDPOINT]


def test_bad_first_version_leaves_no_endpoint(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """What nobody could call before cannot be called after a failed first deployment."""
    platform = make_platform()
    platform.answers["returns-1"] = {"predictions": []}
    with pytest.raises(VerificationFailed):
        deploy(platform, "1")
    assert platform.endpoints == {}
    assert platform.aliases == {"Challenger": "1"}


def test_version_that_does_not_load_leaves_the_old_one(platform: Any, deploy: Deploy) -> None:
    """A failed update names the version; the endpoint goes on as before."""
    platform.fails_to_load.add("returns-2")
    with pytest.raises(ServingError, match="UPDATE_FAILED"):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}


@pytest.mark.parametrize("kind", [{}, {"route_optimized": True}, {"most_entities": 1}], ids=["beside", "route-optimized", "swap"])
@pytest.mark.parametrize("broken", ["query shop_returns", "put_ai_gateway", "alias Champion 2"])
def test_failure_after_the_move_brings_the_old_version_back(
    make_platform: Callable[..., Any], deploy: Deploy, kind: dict[str, Any], broken: str
) -> None:
    """Whatever fails once the traffic has moved – a check, the log, the alias –, all traffic goes back."""
    platform = make_platform("1", **kind)
    platform.endpoints[ENDPOINT].ai_gateway = None
    fails_after(platform, broken, PermissionDenied("not you"))
    with pytest.raises(PermissionDenied, match="not you"):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}
    assert platform.aliases["Champion"] == "1"


def fails_after(platform: Any, call: str, error: Exception, *, passes: int = 0) -> None:
    """Let `call` raise after `passes` times."""
    seen = [0]

    def fault(name: str) -> None:
        if name == call:
            seen[0] += 1
            if seen[0] > passes:
                raise error

    platform.fault = fault


def test_failure_while_watched_brings_the_old_version_back(platform: Any, deploy: Deploy) -> None:
    """The first check under traffic succeeds, a later one does not: that is what watching is for."""
    fails_after(platform, f"query {ENDPOINT}", BadRequest("out of memory"), passes=1)
    with pytest.raises(VerificationFailed, match="out of memory"):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}


def test_update_without_an_end_is_given_up(platform: Any, deploy: Deploy) -> None:
    """An update that does not end within the time-out is an error that says what was waited for."""
    platform.never_ends = True
    with pytest.raises(ServingError, match=r"shop_returns: could not restore returns-1 in 0:05:00"):
        deploy(platform, "2")


def test_passing_fault_while_restoring_is_waited_for(platform: Any, deploy: Deploy) -> None:
    """The way back is not given up because the platform stumbles once."""
    platform.answers["returns-2"] = {"predictions": []}
    stumbles = [TimeoutError("no answer")]

    def fault(name: str) -> None:
        if name == "update {'returns-1': 100}" and stumbles:
            raise stumbles.pop()

    platform.fault = fault
    with pytest.raises(VerificationFailed):
        deploy(platform, "2")
    assert platform.serving() == {"returns-1": 100}


def test_passing_fault_while_waiting_is_no_failure(platform: Any, deploy: Deploy) -> None:
    """One look that fails does not end the waiting for an update."""
    stumbles = [InternalError("fault"), TimeoutError("no answer")]

    def fault(name: str) -> None:
        if name.startswith("get shop") and platform.pending and stumbles:
            raise stumbles.pop()

    platform.fault = fault
    deploy(platform, "2")
    assert stumbles == []
    assert platform.serving() == {"returns-2": 100}


def test_endpoint_made_by_somebody_else_meanwhile_is_not_deleted(make_platform: Callable[..., Any], deploy: Deploy) -> None:
    """When the name is taken between the look and the creation, what has it is not ours to remove."""
    platform = make_platform()

    def fault(name: str) -> None:
        if name == f"create {ENDPOINT}":
            platform.endpoints[ENDPOINT] = ServingEndpointDetailed(name=ENDPOINT)
            raise ResourceAlreadyExists("Serving endpoint with name shop_returns already exists")

    platform.fault = fault
    with pytest.raises(ResourceAlreadyExists):
        deploy(platform, "1")
    assert list(platform.endpoints) == [ENDPOINT]


def test_split_made_by_hand_is_restored_as_it_was(platform: Any, deploy: Deploy) -> None:
    """Two versions that shared the traffic share it again after a failed deployment of a third, or of one of them."""
    deploy(platform, "2")
    platform.update_config(
        ENDPOINT,
        served_entities=[DeploymentPlan(ENDPOINT, "main.shop.returns", version, "main", "shop").entity for version in "12"],
        traffic_config=type("Split", (), {"routes": []})(),
    )
    platform.pending[ENDPOINT][0].traffic_config = _split({"returns-1": 30, "returns-2": 70})
    for version in ("3", "2"):
        platform.answers = {f"returns-{version}": {"predictions": []}}
        with pytest.raises(VerificationFailed):
            deploy(platform, version)
        assert platform.serving() == {"returns-1": 30, "returns-2": 70}


def _split(shares: dict[str, int]) -> Any:
    from databricks.sdk.service.serving import Route, TrafficConfig

    return TrafficConfig(routes=[Route(served_entity_name=name, traffic_percentage=share) for name, share in shares.items()])


def test_other_size_of_the_same_version_is_an_update(platform: Any, deploy: Deploy) -> None:
    """A changed workload size reaches the endpoint."""
    deploy(platform, "1", workload_size="Small")
    assert [entity.workload_size for entity in platform.get(ENDPOINT).config.served_entities] == ["Small"]


def test_missing_inference_table_is_switched_on(platform: Any, deploy: Deploy) -> None:
    """An endpoint whose requests are not logged gets its inference table; the rest of its gateway stays."""
    gateway = AiGatewayConfig(rate_limits=[])
    platform.endpoints[ENDPOINT].ai_gateway = gateway
    deploy(platform, "1")
    assert platform.endpoints[ENDPOINT].ai_gateway.rate_limits == []
    assert platform.endpoints[ENDPOINT].ai_gateway.inference_table_config.table_name_prefix == ENDPOINT


@pytest.mark.parametrize(
    ("watch", "pauses"),
    [
        pytest.param(Watch(seconds=10, checks=3), [0.0, 5.0, 5.0], id="spread over the time"),
        pytest.param(Watch(seconds=0, checks=3), [0.0], id="no time"),
        pytest.param(Watch(seconds=10, checks=1), [0.0], id="one check"),
    ],
)
def test_watching_spreads_its_checks(watch: Watch, pauses: list[float]) -> None:
    """The first check comes at once, the last at the end."""
    assert watch.pauses() == pauses


def test_helper_of_a_long_name_has_a_valid_name() -> None:
    """Names have at most 63 characters."""
    assert DeploymentPlan("e" * 63, "m", "1", "c", "s").helper == "e" * 58 + "-next"
