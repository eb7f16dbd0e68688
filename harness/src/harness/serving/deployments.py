"""How an endpoint comes to serve a configuration: updates in the background, their cancelling, stopping and starting again.

The platform's user interface cancels, stops and starts; it has no documented API for it.
"""

import logging
import threading
from collections.abc import Sequence

import msgspec

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.serving.endpoints import Endpoints
from harness.serving.fleet import Fleet
from harness.serving.model import Config, Endpoint, EntityState, ServedEntity
from harness.serving.rules import invalid
from harness.serving.system_table import ServedEntityRecords

log = logging.getLogger(__name__)


def check_not_updating(endpoint: Endpoint) -> None:
    """Raise the platform's 409 while an update is under way."""
    if endpoint.config_update == "IN_PROGRESS":
        message = f"Endpoint served entities are currently being updated; wait until the update of '{endpoint.name}' is done."
        raise ApiError(409, "RESOURCE_CONFLICT", message)


class Deployments:
    """Brings up what endpoints have pending and swaps it in."""

    def __init__(self, *, clock: Clock, endpoints: Endpoints, fleet: Fleet, records: ServedEntityRecords) -> None:
        self._clock = clock
        self._endpoints = endpoints
        self._fleet = fleet
        self._records = records
        self._closing = False

    def close(self) -> None:
        """Leave updates where they are; they go on at the next start."""
        self._closing = True

    def begin(self, endpoint: Endpoint) -> None:
        """Bring up the endpoint's pending configuration in the background."""
        threading.Thread(target=self._update, args=(endpoint,), name=f"update-{endpoint.name}", daemon=True).start()

    def cancel(self, name: str) -> None:
        """End the update under way; what the endpoint served before it goes on serving."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            if endpoint.config_update != "IN_PROGRESS" or endpoint.pending is None:
                raise invalid(f"Endpoint '{name}' has no update that could be cancelled.")
            self._endpoints.put(endpoint, pending=None, config_update="UPDATE_CANCELED", outcome={})
        self._retire(endpoint.pending.entities, _serving(endpoint))

    def stop(self, name: str) -> None:
        """Serve nothing until `resume` or an update; the configuration stays."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            check_not_updating(endpoint)
            if endpoint.config is None or endpoint.stopped:
                raise invalid(f"Endpoint '{name}' serves nothing that could be stopped.")
            self._endpoints.put(endpoint, stopped=True, pending=None, config_update="NOT_UPDATING", outcome={})
        self._retire(endpoint.config.entities, None)

    def resume(self, name: str) -> None:
        """Begin to serve again what the endpoint served when it was stopped, as a new version."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            check_not_updating(endpoint)
            if endpoint.config is None or not endpoint.stopped:
                raise invalid(f"Endpoint '{name}' is not stopped.")
            version = endpoint.last_version + 1
            pending = msgspec.structs.replace(endpoint.config, version=version, start_time=millis(self._clock.now()))
            after = self._endpoints.put(endpoint, pending=pending, config_update="IN_PROGRESS", last_version=version, outcome={})
        self.begin(after)

    def _update(self, endpoint: Endpoint) -> None:
        """Bring up the pending configuration, then swap; processes are started and ended outside of the transaction."""
        pending = endpoint.pending
        assert pending is not None  # noqa: S101 - an update has one
        states = [process.settled() for process in self._fleet.start(pending)]
        if self._closing:
            return
        failed = any(state.deployment != "DEPLOYMENT_READY" for state in states)
        if not failed and self._under_way(endpoint) is not None:
            self._records.add(endpoint, pending)  # before any of their calls can be logged
        with self._endpoints.transaction():
            current = self._under_way(endpoint)
            if current is not None and failed:
                outcome = {entity.id: _outcome(state) for entity, state in zip(pending.entities, states, strict=True)}
                self._endpoints.put(current, config_update="UPDATE_FAILED", outcome=outcome)
            elif current is not None:
                self._endpoints.put(current, config=pending, pending=None, config_update="NOT_UPDATING", stopped=False)
        kept = _serving(endpoint) if current is None or failed else pending
        self._retire([*(endpoint.config.entities if endpoint.config else ()), *pending.entities], kept)
        log.info("endpoint %s: update to version %d %s", endpoint.name, pending.version, _told(current, failed=failed))

    def _under_way(self, endpoint: Endpoint) -> Endpoint | None:
        """Return the endpoint as it is now; None when the update it began with was cancelled, or the endpoint is gone, meanwhile."""
        current = self._endpoints.find(endpoint.name)
        return current if current is not None and (current.id, current.pending) == (endpoint.id, endpoint.pending) else None

    def _retire(self, entities: Sequence[ServedEntity], kept: Config | None) -> None:
        ids = {entity.id for entity in kept.entities} if kept else set()
        self._fleet.retire([entity for entity in entities if entity.id not in ids])


def _serving(endpoint: Endpoint) -> Config | None:
    return None if endpoint.stopped else endpoint.config


def _told(current: Endpoint | None, *, failed: bool) -> str:
    return "cancelled" if current is None else "failed" if failed else "done"


def _outcome(state: EntityState) -> EntityState:
    """Return how an entity of a failed update ends: one that was well is taken down with the one that failed."""
    if state.deployment == "DEPLOYMENT_FAILED":
        return state
    return EntityState("DEPLOYMENT_ABORTED", "Another served entity of the update failed.")
