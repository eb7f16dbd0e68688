"""Rate limits: what the API accepts and shows, and how calls are counted."""

import asyncio
import datetime as dt
from collections.abc import Iterable
from typing import Any, Protocol

import httpx
import msgspec
import pytest
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.serving import (
    AiGatewayRateLimit,
    AiGatewayRateLimitKey,
    AiGatewayRateLimitRenewalPeriod,
    EndpointCoreConfigInput,
    RateLimitKey,
    RateLimitRenewalPeriod,
    ServedEntityInput,
)
from databricks.sdk.service.serving import RateLimit as OldRateLimit
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.errors import ApiError
from harness.http import Call, OneToken, Route, application
from harness.serving.limits import RateLimits
from harness.serving.model import Endpoint, Gateway, RateLimit, Tag

MINUTE = AiGatewayRateLimitRenewalPeriod.MINUTE
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class Workspace(Protocol):
    """What conftest.py starts."""

    sdk: Any  # a WorkspaceClient; every field of its answers is optional to the type checker
    http: httpx.Client


def endpoint(*limits: dict[str, object], old: Iterable[dict[str, object]] = ()) -> Endpoint:
    new, older = (msgspec.convert([{"renewal_period": "minute", **each} for each in kind], list[RateLimit]) for kind in (limits, old))
    return Endpoint(
        id="e1",
        name="ep",
        creator="me",
        creation_timestamp=0,
        last_updated_timestamp=0,
        ai_gateway=Gateway(rate_limits=new),
        rate_limits=older,
    )


def admitted(limits: RateLimits, of: Endpoint, user: str, times: int) -> int:
    return sum(limits.refusal(of, user) is None for _ in range(times))


def test_call_over_the_limit_is_told_when_to_come_back() -> None:
    """The third call within a minute of two is a 429 whose Retry-After is when the first is a minute old."""
    clock = FakeClock(START)
    limits, limited = RateLimits(clock), endpoint({"key": "endpoint", "calls": 2})
    assert limits.refusal(limited, "a") is None
    clock.sleep(20)
    assert limits.refusal(limited, "b") is None
    clock.sleep(10.5)
    refusal = limits.refusal(limited, "c")
    assert refusal is not None
    assert (refusal.status, refusal.error_code, refusal.headers) == (429, "REQUEST_LIMIT_EXCEEDED", {"Retry-After": "30"})
    assert refusal.message == "REQUEST_LIMIT_EXCEEDED: Exceeded the rate limit of endpoint 'ep'. Try again later or have the limit raised."
    clock.sleep(30)
    assert limits.refusal(limited, "c") is None
    assert limits.refusal(limited, "c") is not None


def test_limit_of_each_user_counts_users_apart() -> None:
    """Key user without a principal is every user's own limit."""
    limits, limited = RateLimits(FakeClock(START)), endpoint({"key": "user", "calls": 2})
    assert [admitted(limits, limited, user, 3) for user in ("a", "b")] == [2, 2]


def test_limit_of_one_principal_overrides_the_default() -> None:
    """A named user or service principal has its own limit in place of everybody's, higher or lower."""
    limited = endpoint(
        {"key": "user", "calls": 2},
        {"key": "user", "principal": "a", "calls": 4},
        {"key": "service_principal", "principal": "sp", "calls": 1},
    )
    limits = RateLimits(FakeClock(START))
    assert [admitted(limits, limited, user, 6) for user in ("a", "sp", "b")] == [4, 1, 2]


def test_group_shares_one_limit() -> None:
    """The members of a group use up one limit together; a member's own limit goes before it."""
    limited = endpoint(
        {"key": "user", "calls": 1},
        {"key": "user_group", "principal": "team", "calls": 3},
        {"key": "user", "principal": "boss", "calls": 5},
    )
    members = {"a": ("team",), "b": ("team",), "boss": ("team",)}
    limits = RateLimits(FakeClock(START), lambda user: members.get(user, ()))
    assert [admitted(limits, limited, user, 9) for user in ("a", "b", "boss", "stranger")] == [3, 0, 5, 1]


def test_member_of_two_groups_is_refused_when_both_are_used_up() -> None:
    """Documented: exceeding all limits of one's groups, not any."""
    limited = endpoint({"key": "user_group", "principal": "x", "calls": 1}, {"key": "user_group", "principal": "y", "calls": 3})
    limits = RateLimits(FakeClock(START), lambda _: ("x", "y"))
    assert admitted(limits, limited, "a", 9) == 3


def test_endpoint_limit_is_above_all_others() -> None:
    """It blocks everybody; what it refused is not counted against the user."""
    clock = FakeClock(START)
    limits, limited = RateLimits(clock), endpoint({"key": "endpoint", "calls": 1}, {"key": "user", "calls": 2})
    assert [admitted(limits, limited, user, 3) for user in ("a", "b")] == [1, 0]
    clock.sleep(60)
    assert admitted(limits, limited, "b", 3) == 1


def test_both_kinds_of_limits_apply() -> None:
    """The deprecated rate_limits and those of the AI Gateway."""
    limited = endpoint({"key": "endpoint", "calls": 5}, old=[{"key": "endpoint", "calls": 2}])
    assert admitted(RateLimits(FakeClock(START)), limited, "a", 9) == 2


def test_no_calls_means_nobody() -> None:
    """A limit of 0 refuses every call."""
    assert admitted(RateLimits(FakeClock(START)), endpoint({"key": "endpoint", "calls": 0}), "a", 3) == 0


def test_other_changes_leave_the_count() -> None:
    """An endpoint whose tags changed has the limit it had; one that was deleted and made again starts from nothing."""
    limits, limited = RateLimits(FakeClock(START)), endpoint({"key": "endpoint", "calls": 3})
    assert admitted(limits, limited, "a", 2) == 2
    tagged = msgspec.structs.replace(limited, tags=(Tag("a", "1"),))
    assert admitted(limits, tagged, "b", 5) == 1
    limits.forget(limited.id)
    assert admitted(limits, limited, "a", 5) == 3


def test_changed_limit_counts_from_nothing() -> None:
    """Assumption: pinned."""
    limits = RateLimits(FakeClock(START))
    assert admitted(limits, endpoint({"calls": 2, "key": "endpoint"}), "a", 5) == 2
    assert admitted(limits, endpoint({"calls": 3, "key": "endpoint"}), "a", 5) == 3
    assert limits.refusal(endpoint(), "a") is None


@given(st.integers(0, 4), st.lists(st.floats(0, 40), max_size=60))
def test_no_minute_has_more_calls_than_the_limit(calls: int, pauses: list[float]) -> None:
    """Whenever calls come, any 60 seconds hold at most `calls` admitted ones, and whoever waits as long as told is admitted."""
    clock = FakeClock(START)
    limits, limited = RateLimits(clock), endpoint({"key": "endpoint", "calls": calls})
    times: list[dt.datetime] = []
    for pause in pauses:
        clock.sleep(pause)
        refusal = limits.refusal(limited, "a")
        if refusal is not None and calls > 0:
            clock.sleep(int(refusal.headers["Retry-After"]))
            assert limits.refusal(limited, "a") is None
            times.append(clock.now())
        elif refusal is None:
            times.append(clock.now())
    minute = dt.timedelta(seconds=60)
    for at in times:
        assert sum(at <= other < at + minute for other in times) <= calls


def test_retry_after_is_sent() -> None:
    """A service's error brings its headers into the HTTP answer."""

    def refuse(_: Call) -> object:
        raise ApiError(429, "REQUEST_LIMIT_EXCEEDED", "later", headers={"Retry-After": "7"})

    app = application([Route("GET", "/x", refuse, "doc")], callers=OneToken("t", "me"))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://harness") as client:
            return await client.get("/x", headers={"Authorization": "Bearer t"})

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"


def limit(**more: Any) -> AiGatewayRateLimit:
    return AiGatewayRateLimit(**{"renewal_period": MINUTE, "calls": 10, **more})


@pytest.mark.platform
def test_gateway_limits_are_echoed(workspace: Workspace) -> None:
    """Method put_ai_gateway returns the limits with the default key, and GET shows them; an empty gateway removes them."""
    api = workspace.sdk.serving_endpoints
    api.create("limited")
    own = limit(key=AiGatewayRateLimitKey.USER, principal="me@example.com", calls=3)
    assert api.put_ai_gateway("limited", rate_limits=[limit(), own]).rate_limits == [limit(key=AiGatewayRateLimitKey.ENDPOINT), own]
    assert api.get("limited").ai_gateway.rate_limits == [limit(key=AiGatewayRateLimitKey.ENDPOINT), own]
    assert api.put_ai_gateway("limited").rate_limits == []
    assert api.get("limited").ai_gateway is None


@pytest.mark.platform
@pytest.mark.parametrize(
    ("limits", "message"),
    [
        pytest.param([limit(tokens=5)], r"rate_limits\[0\]: tokens cannot be limited", id="tokens"),
        pytest.param([limit(calls=None)], "calls must be a whole number", id="no calls"),
        pytest.param([limit(calls=-1)], "calls must be a whole number", id="negative"),
        pytest.param([limit(key=AiGatewayRateLimitKey.USER_GROUP)], "key user_group needs a principal", id="group without name"),
        pytest.param([limit(), limit(calls=3)], "one limit for each key and principal", id="twice"),
        pytest.param([limit(principal="me")], "no principal for key endpoint", id="endpoint with principal"),
        pytest.param([limit(key=AiGatewayRateLimitKey.USER, principal=str(n)) for n in range(21)], "at most 20 limits", id="21"),
        pytest.param(
            [limit(key=AiGatewayRateLimitKey.USER_GROUP, principal=str(n)) for n in range(6)], "5 of them for groups", id="6 groups"
        ),
    ],
)
def test_impossible_limits_are_refused(workspace: Workspace, limits: list[AiGatewayRateLimit], message: str) -> None:
    """Each is a 400 that says what is wrong, and nothing changes."""
    if "refusing" not in [each.name for each in workspace.sdk.serving_endpoints.list()]:
        workspace.sdk.serving_endpoints.create("refusing")
    with pytest.raises(BadRequest, match=message):
        workspace.sdk.serving_endpoints.put_ai_gateway("refusing", rate_limits=limits)
    assert workspace.sdk.serving_endpoints.get("refusing").ai_gateway is None


@pytest.mark.platform
def test_deprecated_limits_are_set_but_not_shown(workspace: Workspace) -> None:
    """Method put answers with the limits; GET never shows them."""
    api = workspace.sdk.serving_endpoints
    sent = OldRateLimit(calls=10, renewal_period=RateLimitRenewalPeriod.MINUTE, key=RateLimitKey.ENDPOINT)
    api.create("old-limits", rate_limits=[sent])
    assert api.put("old-limits", rate_limits=[sent]).rate_limits == [sent]
    answer = workspace.http.get("/api/2.0/serving-endpoints/old-limits").json()
    assert "rate_limits" not in answer
    refused = workspace.http.put(
        "/api/2.0/serving-endpoints/old-limits/rate-limits",
        json={"rate_limits": [{"calls": 1, "key": "user_group", "principal": "x", "renewal_period": "minute"}]},
    )
    assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    hourly = {"rate_limits": [{"calls": 1, "renewal_period": "hour"}]}
    assert workspace.http.put("/api/2.0/serving-endpoints/old-limits/rate-limits", json=hourly).status_code == 400


@pytest.mark.platform
def test_mlflow_sets_limits(workspace: Workspace, mlflow_deployments: Any) -> None:
    """MLflow's update_endpoint_rate_limits and update_endpoint_ai_gateway."""
    workspace.sdk.serving_endpoints.create("mlflow-limits")
    one = {"calls": 10, "key": "endpoint", "renewal_period": "minute"}
    answer = mlflow_deployments.update_endpoint_rate_limits(endpoint="mlflow-limits", config={"rate_limits": [one]})
    assert answer == {"rate_limits": [one]}
    answer = mlflow_deployments.update_endpoint_ai_gateway(endpoint="mlflow-limits", config={"rate_limits": [one]})
    assert answer == {"rate_limits": [one]}


@pytest.mark.platform
def test_calls_over_the_limit_are_refused(workspace: Workspace) -> None:
    """Over HTTP: the third call of two a minute is a 429 with Retry-After in the platform's envelope, until the limit is gone."""
    config = EndpointCoreConfigInput(name="x", served_entities=[ServedEntityInput(entity_name="main.ml.adds", entity_version="1")])
    api = workspace.sdk.serving_endpoints
    api.create_and_wait("throttled", config=config, timeout=dt.timedelta(seconds=120))
    api.put_ai_gateway("throttled", rate_limits=[limit(calls=2)])
    call = {"dataframe_records": [{"a": 1, "b": 2}]}
    answers = [workspace.http.post("/serving-endpoints/throttled/invocations", json=call) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    api.put_ai_gateway("throttled")
    assert workspace.http.post("/serving-endpoints/throttled/invocations", json=call).status_code == 200
    api.put("throttled", rate_limits=[OldRateLimit(calls=0, renewal_period=RateLimitRenewalPeriod.MINUTE, key=RateLimitKey.USER)])
    assert workspace.http.post("/serving-endpoints/throttled/invocations", json=call).status_code == 429
