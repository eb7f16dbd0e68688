"""The data plane: a call's way to the model that serves it, into the log, and back. Everything here runs on the event loop's thread."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

import msgspec

from harness.errors import ApiError
from harness.http import Identity
from harness.ids import Ids
from harness.serving import route_optimized, rules
from harness.serving.fleet import Fleet
from harness.serving.limits import RateLimits
from harness.serving.link import Link, ModelAnswer, ModelServerGoneError
from harness.serving.metrics import Metrics
from harness.serving.model import Endpoint, ServedEntity
from harness.serving.ports import LoggedCall, PayloadLog
from harness.serving.served_process import ServedProcess

log = logging.getLogger(__name__)
EXECUTION_SECONDS = 597.0  # docs, model-serving-limits: model execution
# Assumption: a call that arrives while its process starts (after a crash or a restart of the harness) waits, as calls to an endpoint
# that is scaled to zero do; what is not ready after this long is answered 503.
READY_SECONDS = 60.0
# Assumption: provisioned concurrency is how many calls run at once; how many more may wait is not documented. Here this many times as many.
QUEUE_FACTOR = 15
MAX_CONTENT_TYPE = 4096
_POLL_SECONDS = 0.05


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """The answer to a call."""

    status: int
    content_type: str
    body: bytes
    request_id: str
    served_entity: str


Outcome = Invocation | ApiError
"""What a call ends with: an answer of (or about) the model, or a refusal before any model was asked."""


class Call(msgspec.Struct):
    """One call as it came. `data_plane`: it came to the route-optimized URL. `reply` is called once."""

    name: str
    served_name: str | None
    content_type: str | None
    body: bytes
    identity: Identity
    client_request_id: str | None
    data_plane: bool
    reply: Callable[[Outcome], None]
    request_id: str = ""
    received_ns: int = 0


class _Entered(msgspec.Struct, frozen=True):
    """A call that a model was asked to answer."""

    call: Call
    endpoint: Endpoint
    entity: ServedEntity
    process: ServedProcess
    link: Link


class Invocations:
    """Routes calls by what was last published; touches neither disk nor database except through the payload log."""

    def __init__(
        self,
        *,
        ids: Ids,
        fleet: Fleet,
        payloads: PayloadLog,
        limits: RateLimits,
        metrics: Metrics,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """`time_ns` is what calls are dated by, in nanoseconds since 1970."""
        self._ids = ids
        self._fleet = fleet
        self._payloads = payloads
        self._limits = limits
        self._metrics = metrics
        self._time_ns = time_ns
        self._endpoints: dict[str, Endpoint] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self.ready_seconds = READY_SECONDS
        self.execution_seconds = EXECUTION_SECONDS
        self.queue_factor = QUEUE_FACTOR
        self.last_call = 0.0
        """When the last call came, on the monotonic clock."""

    def publish(self, endpoint: Endpoint) -> None:
        """Route calls as `endpoint` says from now on."""
        self._endpoints[endpoint.name] = endpoint

    def withdraw(self, name: str) -> None:
        """Answer calls to `name` with 404 from now on."""
        self._endpoints.pop(name, None)

    def begin(self, call: Call) -> None:
        """Have the call answered by the model that the traffic split (or `served_name`) chooses; it is logged before it is answered."""
        call.request_id = self._ids.uuid()
        call.received_ns = self._time_ns()
        self.last_call = time.monotonic()
        try:
            self._admit(call)
            if self._ask(call):
                return
        except ApiError as refusal:
            call.reply(refusal)
            return
        task = asyncio.get_running_loop().create_task(self._ask_later(call), name=f"waiting-{call.name}")
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _admit(self, call: Call) -> None:
        if call.content_type is not None and len(call.content_type) > MAX_CONTENT_TYPE:
            # Assumption: the platform's limit and words are not documented; no content type is this long.
            raise ApiError(
                415, "UNSUPPORTED_MEDIA_TYPE", f"The content type has {len(call.content_type)} characters; expected application/json."
            )
        endpoint = self._endpoints.get(call.name)
        if endpoint is None:
            raise _no_such_endpoint()
        if call.data_plane:
            route_optimized.check_data_plane_call(endpoint, call.identity)
        else:
            route_optimized.check_workspace_call(endpoint, call.identity)
        refusal = self._limits.refusal(endpoint, call.identity.user)
        if refusal is not None:
            raise refusal

    def _ask(self, call: Call) -> bool:
        """Ask the model, if its process can be asked right now; return whether it was."""
        endpoint, entity = self._route(call)
        process = self._fleet.process(entity)
        if process is None or not process.ready:
            return False
        link = process.linked
        if link is None or not process.enter():
            return False
        if process.calls > rules.concurrency(entity) * (1 + self.queue_factor):
            process.leave()
            message = "Too many concurrent requests. Consider increasing the provisioned concurrency of the served entity."
            raise ApiError(429, "REQUEST_LIMIT_EXCEEDED", message, headers={"Retry-After": "1"})
        link.send(_Entered(call, endpoint, entity, process, link), call.content_type, call.body, seconds=self.execution_seconds)
        return True

    async def _ask_later(self, call: Call) -> None:
        """Ask the model as soon as it can be asked: its process starts, wakes or is replaced, or there is no connection to it yet."""
        until = time.monotonic() + self.ready_seconds
        try:
            while not self._ask(call):
                await self._come_nearer(call, last=time.monotonic() >= until)
        except ApiError as refusal:
            call.reply(refusal)

    async def _come_nearer(self, call: Call, *, last: bool) -> None:
        _, entity = self._route(call)
        process = self._fleet.process(entity)
        if process is not None and process.ready:
            try:
                await process.link(self._answered, self._lost)
            except ModelServerGoneError:
                pass  # what follows it is near
            else:
                return
        elif process is None or not process.settling:
            self._fleet.wake(entity)
        state = self._fleet.state(entity)
        if last or state.deployment in ("DEPLOYMENT_FAILED", "DEPLOYMENT_ABORTED"):
            told = f"{state.deployment} {state.deployment_state_message}".rstrip()
            message = f"Served entity '{entity.name}' of endpoint '{call.name}' is not ready: {told}"
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", message)
        await asyncio.sleep(_POLL_SECONDS)

    def _route(self, call: Call) -> tuple[Endpoint, ServedEntity]:
        endpoint = self._endpoints.get(call.name)
        if endpoint is None:
            raise _no_such_endpoint()
        if endpoint.config is None:
            if endpoint.stopped:  # Assumption: code and wording; 400 is documented (model-serving-debug)
                raise ApiError(400, "INVALID_STATE", f"Endpoint '{call.name}' is stopped; start it before it is called.")
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", f"Endpoint '{call.name}' is not ready: nothing was deployed to it yet.")
        name = call.served_name
        if name is None:
            routes = endpoint.config.routes
            # A random id is a fair die, and names the traffic's choice. Its last 12 digits are all random.
            name = routes[0].served_entity_name if len(routes) == 1 else rules.choose(routes, int(call.request_id[-12:], 16) % 100)
        entity = endpoint.config.entity(name)
        if entity is None:
            raise _no_such_endpoint()
        return endpoint, entity

    def _answered(self, answers: Sequence[tuple[object, ModelAnswer]]) -> None:
        """Log calls and answer them: first all of the log, so that what is acknowledged is durable."""
        logged: dict[str, list[LoggedCall]] = {}
        for entered, answer in answers:
            assert isinstance(entered, _Entered)  # noqa: S101 - what `_ask` gave the link
            call = entered.call
            logged.setdefault(entered.endpoint.id, []).append(
                # Assumption: the logged response is the HTTP answer, which carries no `databricks_output`: that a plain custom model's has
                # it is not proven. `InferenceTables(databricks_output=True)` adds it to the log.
                LoggedCall(
                    call.request_id,
                    call.received_ns,
                    answer.status,
                    answer.microseconds,
                    call.body,
                    answer.body,
                    entered.entity.id,
                    route_optimized.requester(entered.endpoint, call.identity),
                    call.client_request_id,
                )
            )
        failures = {endpoint_id: failure for endpoint_id, calls in logged.items() if (failure := self._log(endpoint_id, calls)) is not None}
        for entered, answer in answers:
            assert isinstance(entered, _Entered)  # noqa: S101 - as above
            entered.process.leave()
            self._metrics.observe(entered.endpoint.name, entered.entity.name, answer.status, answer.microseconds)
            failure = failures.get(entered.endpoint.id) if failures else None
            call = entered.call
            call.reply(failure or Invocation(answer.status, answer.content_type, answer.body, call.request_id, entered.entity.name))

    def _log(self, endpoint_id: str, calls: Sequence[LoggedCall]) -> ApiError | None:
        try:
            self._payloads.append(endpoint_id, calls)
        except OSError as error:
            log.exception("%d calls could not be logged", len(calls), extra={"endpoint_id": endpoint_id})
            return ApiError(500, "INTERNAL_ERROR", f"The call was evaluated but could not be logged: {error}")
        return None

    def _lost(self, calls: Sequence[object], error: Exception) -> None:
        """Answer calls whose model ended, or did not answer in time."""
        for entered in calls:
            if isinstance(error, TimeoutError) and isinstance(entered, _Entered):
                entered.process.overdue(entered.link)
        self._answered([(entered, _given_up(error)) for entered in calls])


def _no_such_endpoint() -> ApiError:
    message = "The given endpoint does not exist, please retry after checking the specified model and version deployment exists."
    return ApiError(404, "ENDPOINT_NOT_FOUND", message)


def _given_up(error: Exception) -> ModelAnswer:
    if isinstance(error, TimeoutError):
        message = "Timed out while evaluating the model. Verify that the model evaluates within the timeout."
        return _refusal(504, "DEADLINE_EXCEEDED", message)
    # Assumption: 500, not 503, for a call during which the model's process died: clients repeat a 503 by themselves for minutes,
    # and a call that kills its model would kill it again each time.
    return _refusal(500, "INTERNAL_ERROR", "The model server ended while it evaluated the request; see the served entity's logs.")


def _refusal(status: int, error_code: str, message: str) -> ModelAnswer:
    return ModelAnswer(status, "application/json", msgspec.json.encode({"error_code": error_code, "message": message}), 0)
