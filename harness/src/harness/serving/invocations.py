"""The data plane: a call's way to the model that serves it, into the log, and back."""

import asyncio
import datetime as dt
from dataclasses import dataclass

import msgspec

from harness.clock import Clock
from harness.errors import ApiError
from harness.ids import Ids
from harness.serving import rules
from harness.serving.fleet import Fleet
from harness.serving.link import Link, ModelAnswer, ModelServerGoneError
from harness.serving.model import Endpoint, ServedEntity
from harness.serving.ports import PayloadLog
from harness.serving.served_process import ServedProcess

EXECUTION_SECONDS = 597.0  # docs, model-serving-limits: model execution
# Assumption: a call that arrives while its process starts (after a crash or a restart of the harness) waits, as calls to an endpoint
# that is scaled to zero do; what is not ready after this long is answered 503.
READY_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Invocation:
    """The answer to a call."""

    status: int
    content_type: str
    body: bytes
    request_id: str
    served_entity: str


class Invocations:
    """Routes calls by what was last published; touches neither disk nor database except through the payload log."""

    def __init__(self, *, clock: Clock, ids: Ids, fleet: Fleet, payloads: PayloadLog, requester: str) -> None:
        self._clock = clock
        self._ids = ids
        self._fleet = fleet
        self._payloads = payloads
        self._requester = requester
        self._endpoints: dict[str, Endpoint] = {}
        self.ready_seconds = READY_SECONDS
        self.execution_seconds = EXECUTION_SECONDS

    def publish(self, endpoint: Endpoint) -> None:
        """Route calls as `endpoint` says from now on."""
        self._endpoints[endpoint.name] = endpoint

    def withdraw(self, name: str) -> None:
        """Answer calls to `name` with 404 from now on."""
        self._endpoints.pop(name, None)

    async def call(self, name: str, served_name: str | None, content_type: str | None, body: bytes) -> Invocation:
        """Return the answer of the model that the traffic split (or `served_name`) chooses; the call is logged before this returns."""
        received = self._clock.now()
        request_id = self._ids.uuid()
        endpoint, entity, process, link = await self._enter(name, served_name, request_id)
        try:
            answer = await self._score(link, content_type, body)
        finally:
            process.leave()
        self._log(endpoint, entity, request_id, received, body, answer)
        return Invocation(answer.status, answer.content_type, answer.body, request_id, entity.name)

    async def _enter(self, name: str, served_name: str | None, request_id: str) -> tuple[Endpoint, ServedEntity, ServedProcess, Link]:
        waited = 0.0
        while True:
            endpoint, entity = self._route(name, served_name, request_id)
            process = self._fleet.process(entity)
            if process is not None and process.ready and process.enter():
                link = await _linked(process)
                if link is not None:
                    return endpoint, entity, process, link
            starting = process is None or process.settling or process.ready  # ready, but just retired or just dead: what follows it is near
            if not starting or waited >= self.ready_seconds:
                state = self._fleet.state(entity)
                message = (
                    f"Served entity '{entity.name}' of endpoint '{name}' is not ready: {state.deployment} {state.deployment_state_message}"
                )
                raise ApiError(503, "TEMPORARILY_UNAVAILABLE", message.rstrip())
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS

    def _route(self, name: str, served_name: str | None, request_id: str) -> tuple[Endpoint, ServedEntity]:
        endpoint = self._endpoints.get(name)
        if endpoint is not None and endpoint.config is None:
            message = f"Endpoint '{name}' is not ready: nothing was deployed to it yet."
            raise ApiError(503, "TEMPORARILY_UNAVAILABLE", message)
        if endpoint is not None and endpoint.config is not None:
            point = int(request_id.replace("-", ""), 16) % 100  # a random id is a fair die, and names the traffic's choice
            entity = endpoint.config.entity(served_name or rules.choose(endpoint.config.routes, point))
            if entity is not None:
                return endpoint, entity
        message = "The given endpoint does not exist, please retry after checking the specified model and version deployment exists."
        raise ApiError(404, "ENDPOINT_NOT_FOUND", message)

    async def _score(self, link: Link, content_type: str | None, body: bytes) -> ModelAnswer:
        try:
            return await asyncio.wait_for(link.call(content_type, body), self.execution_seconds)
        except ModelServerGoneError:
            # Assumption: 500, not 503, for a call during which the model's process died: clients repeat a 503 by themselves for minutes,
            # and a call that kills its model would kill it again each time.
            return _refusal(500, "INTERNAL_ERROR", "The model server ended while it evaluated the request; see the served entity's logs.")
        except TimeoutError:
            message = "Timed out while evaluating the model. Verify that the model evaluates within the timeout."
            return _refusal(504, "DEADLINE_EXCEEDED", message)

    def _log(
        self, endpoint: Endpoint, entity: ServedEntity, request_id: str, received: dt.datetime, body: bytes, answer: ModelAnswer
    ) -> None:
        # Assumption: the logged response is the HTTP answer, and neither carries `databricks_output`: that a plain custom model's HTTP
        # answer has it is not proven, and every reader of the table accepts both.
        self._payloads.append(
            endpoint.id,
            databricks_request_id=request_id,
            received=received,
            status_code=answer.status,
            execution_duration_ms=answer.microseconds // 1000,
            request=body,
            response=answer.body,
            served_entity_id=entity.id,
            requester=self._requester,
        )


def _refusal(status: int, error_code: str, message: str) -> ModelAnswer:
    return ModelAnswer(status, "application/json", msgspec.json.encode({"error_code": error_code, "message": message}), 0)


async def _linked(process: ServedProcess) -> Link | None:
    """Return a connection to the process that the caller has entered; when it is gone, unseen so far, leave it and return None."""
    try:
        return await process.link()
    except ModelServerGoneError:
        process.leave()
        return None
    except asyncio.CancelledError:
        process.leave()
        raise
