"""Rate limits of an endpoint's calls: who may call how often in a minute."""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from harness.clock import Clock
from harness.errors import ApiError
from harness.serving.model import Endpoint, RateLimit

PERIOD_SECONDS = 60.0  # "Currently, only 'minute' is supported": databricks-sdk-py, AiGatewayRateLimit
# At most 20 rate limits an endpoint, 5 of them for groups: docs.databricks.com, ai-gateway/rate-limits-beta (as is what overrides what)
MAX_LIMITS = 20
MAX_GROUP_LIMITS = 5
ALL_KEYS = ("endpoint", "user", "user_group", "service_principal")
OLD_KEYS = ("endpoint", "user")  # of the deprecated PUT …/rate-limits
_OF_ONE = ("user", "service_principal")

GroupsOf = Callable[[str], Collection[str]]


def in_users(_: str) -> Collection[str]:
    """Everybody is in the workspace's group `users` and in no other."""
    return ("users",)


def checked_limits(field: str, limits: Sequence[RateLimit], keys: Collection[str] = ALL_KEYS) -> list[RateLimit]:
    """Return `limits` with the default key filled in, or raise for the first that a custom model cannot have."""
    filled = [msgspec.structs.replace(limit, key=limit.key or "endpoint") for limit in limits]
    for place, limit in enumerate(filled):
        _check_one(f"{field}[{place}]", limit, keys)
    whose = [(limit.key, limit.principal) for limit in filled]
    if len(set(whose)) < len(whose):
        raise _invalid(f"{field}: there can be one limit for each key and principal.")
    groups = sum(limit.key == "user_group" for limit in filled)
    if len(filled) > MAX_LIMITS or groups > MAX_GROUP_LIMITS:
        message = f"at most {MAX_LIMITS} limits, {MAX_GROUP_LIMITS} of them for groups, are allowed"
        raise _invalid(f"{field}: {len(filled)} limits, {groups} of them for groups; {message}.")
    return filled


def _check_one(where: str, limit: RateLimit, keys: Collection[str]) -> None:
    if limit.key not in keys:
        raise _invalid(f"{where}: key must be one of {', '.join(keys)}, got {limit.key}.")
    if limit.tokens is not None:
        # Assumption: a model that is not an LLM reads and writes no tokens; what the platform answers for it is not documented.
        raise _invalid(f"{where}: tokens cannot be limited on an endpoint that serves custom models; limit calls.")
    if limit.calls is None or limit.calls < 0:
        raise _invalid(f"{where}: calls must be a whole number from 0 up, got {limit.calls}.")
    if limit.key in ("user_group", "service_principal") and not limit.principal:
        raise _invalid(f"{where}: key {limit.key} needs a principal (the group's name, or the service principal's application id).")
    if limit.principal and (limit.key == "endpoint" or keys is OLD_KEYS):
        raise _invalid(f"{where}: there is no principal for key {limit.key} here, got '{limit.principal}'.")


@dataclass(slots=True)
class _Counted:
    """What was admitted to an endpoint as it is since its last change."""

    endpoint: Endpoint
    limits: Sequence[RateLimit]
    admitted: dict[tuple[RateLimit, str], deque[float]]
    """The times of the last calls, at most as many as the limit has, by limit and whom it counts."""
    plans: dict[str, list[list[deque[float]]]]
    """By user: of each of these lists one must admit the call."""


class RateLimits:
    """Counts the calls of endpoints that have limits. Called from one thread, the event loop's."""

    def __init__(self, clock: Clock, groups: GroupsOf = in_users) -> None:
        """`groups` is asked once for a user while an endpoint stays as it is."""
        self._clock = clock
        self._groups = groups
        self._counted: dict[str, _Counted] = {}

    def refusal(self, endpoint: Endpoint, user: str) -> ApiError | None:
        """Return None when `user` may call now, and count the call; else the platform's 429 with a `Retry-After` in seconds.

        Assumptions: the minute slides (a call counts for the 60 seconds after it, so never more than `calls` in any minute); what was
        refused does not count; a changed limit counts from nothing; both kinds of limit apply where an endpoint has both.
        """
        counted = self._counted.get(endpoint.id)
        if counted is None or counted.endpoint is not endpoint:
            counted = self._changed(endpoint, counted)
        if not counted.limits:
            return None
        plan = counted.plans.get(user)
        if plan is None:
            plan = counted.plans[user] = self._plan(counted, user)
        now = self._clock.now().timestamp()
        admitting: list[deque[float]] = []
        for alternatives in plan:
            before = len(admitting)
            admitting += [times for times in alternatives if _wait(times, now) <= 0]
            if len(admitting) == before:
                return _refused(endpoint.name, min(_wait(times, now) for times in alternatives))
        for times in admitting:
            times.append(now)
        return None

    def forget(self, endpoint_id: str) -> None:
        """Drop what was counted for an endpoint that is gone."""
        self._counted.pop(endpoint_id, None)

    def _changed(self, endpoint: Endpoint, before: _Counted | None) -> _Counted:
        limits = endpoint.limits
        kept = {key: times for key, times in before.admitted.items() if key[0] in limits} if before is not None else {}
        counted = self._counted[endpoint.id] = _Counted(endpoint, limits, kept, {})
        return counted

    def _plan(self, counted: _Counted, user: str) -> list[list[deque[float]]]:
        def times(limit: tuple[RateLimit, str]) -> deque[float]:
            return counted.admitted.setdefault(limit, deque(maxlen=limit[0].calls))

        return [[times(limit) for limit in alternatives] for alternatives in _applying(counted.limits, user, self._groups)]


def _applying(limits: Sequence[RateLimit], user: str, groups: GroupsOf) -> Iterator[list[tuple[RateLimit, str]]]:
    """Yield what must each admit the call: the endpoint's limits; the user's own, else any one of the user's groups', else everybody's.

    A member of several groups with limits is refused when all of them are used up: docs, as above.
    """
    for limit in limits:
        if limit.key == "endpoint":
            yield [(limit, "")]
    own = [limit for limit in limits if limit.key in _OF_ONE and limit.principal == user]
    member_of = groups(user) if any(limit.key == "user_group" for limit in limits) else ()
    shared = [limit for limit in limits if limit.key == "user_group" and limit.principal in member_of]
    everybody = [limit for limit in limits if limit.key == "user" and not limit.principal]
    if own:
        yield from ([(limit, "")] for limit in own)
    elif shared:
        yield [(limit, "") for limit in shared]
    else:
        yield from ([(limit, user)] for limit in everybody)


def _wait(admitted: deque[float], now: float) -> float:
    """Return for how many seconds nobody else is admitted; `admitted` holds the times of the last `calls` calls."""
    if admitted.maxlen == 0:
        return PERIOD_SECONDS
    return admitted[0] + PERIOD_SECONDS - now if len(admitted) == admitted.maxlen else 0.0


def _refused(name: str, seconds: float) -> ApiError:
    # Assumption: the wording follows the platform's for workspaces ("Exceeded workspace QPS rate limit for ..."); that a 429 tells when to
    # come back is our promise, the platform does not guarantee it.
    message = f"REQUEST_LIMIT_EXCEEDED: Exceeded the rate limit of endpoint '{name}'. Try again later or have the limit raised."
    return ApiError(429, "REQUEST_LIMIT_EXCEEDED", message, headers={"Retry-After": str(max(1, math.ceil(seconds)))})


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)
