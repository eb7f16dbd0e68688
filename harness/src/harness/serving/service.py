"""The control plane of serving endpoints: documents, updates in the background, processes that match them."""

import logging
import threading
from collections.abc import Sequence

import msgspec

from harness.clock import Clock, millis
from harness.config import USER_NAME, Layout
from harness.engines.processes import Lifeline
from harness.errors import ApiError
from harness.ids import Ids
from harness.serving import rules, view
from harness.serving.fleet import Fleet
from harness.serving.invocations import Invocations
from harness.serving.model import Config, ConfigInput, CreateEndpoint, Endpoint, EntityState, Gateway, ServedEntity, Tag, TagsPatch
from harness.serving.ports import ModelEnvironments, ModelFiles, PayloadLog
from harness.serving.signature import openapi, read_signature
from harness.serving.system_table import ServedEntitiesTable, ServedEntityRecord
from harness.state import Documents, Store

log = logging.getLogger(__name__)


class ServingService:
    """Creates, updates, shows and deletes endpoints; `invocations` answers their calls."""

    def __init__(
        self,
        *,
        clock: Clock,
        ids: Ids,
        store: Store,
        layout: Layout,
        lifeline: Lifeline,
        models: ModelFiles,
        environments: ModelEnvironments,
        payloads: PayloadLog,
        host_url: str,
        requester: str = USER_NAME,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._endpoints = Documents(store, "serving_endpoint", Endpoint)
        self._records = Documents(store, "served_entity", ServedEntityRecord)
        self._system_table = ServedEntitiesTable(layout)
        self._recording = threading.Lock()
        self._models = models
        self._payloads = payloads
        self._host_url = host_url.rstrip("/")
        self._fleet = Fleet(clock=clock, layout=layout, lifeline=lifeline, models=models, environments=environments)
        self.invocations = Invocations(clock=clock, ids=ids, fleet=self._fleet, payloads=payloads, requester=requester)
        self._closing = False

    def start(self) -> None:
        """Bring up what the documents say: active configurations again, updates that were under way to their end."""
        for endpoint in self._endpoints.list():
            self.invocations.publish(endpoint)
            if endpoint.config is not None:
                self._fleet.start(endpoint.config)
            if endpoint.config_update == "IN_PROGRESS":
                self._update_in_background(endpoint)

    def close(self) -> None:
        """End every model server. Updates under way go on at the next start. Twice without harm."""
        self._closing = True
        self._fleet.close()

    def create(self, request: CreateEndpoint, creator: str) -> view.Json:
        """Make an endpoint and begin to deploy its configuration."""
        rules.check_create(request)
        gateway = rules.check_gateway(request.ai_gateway, request.name) if request.ai_gateway else None
        now = millis(self._clock.now())
        config = self._new_config(request.config, creator, version=1) if request.config is not None else None
        with self._endpoints.transaction():
            if self._endpoints.get(request.name) is not None:
                raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Serving endpoint with name {request.name} already exists")
            endpoint = Endpoint(
                id=self._ids.hex32(),
                name=request.name,
                creator=creator,
                creation_timestamp=now,
                last_updated_timestamp=now,
                description=request.description,
                tags=tuple(request.tags),
                ai_gateway=gateway,
                pending=config,
                config_update="IN_PROGRESS" if config else "NOT_UPDATING",
                last_version=1 if config else 0,
            )
            self._apply_gateway(endpoint.id, gateway)
            self._put(endpoint)
        if config is not None:
            self._update_in_background(endpoint)
        return self._detailed(endpoint)

    def get(self, name: str) -> view.Json:
        """Return the endpoint as the API shows it."""
        return self._detailed(self._endpoint(name))

    def list(self) -> list[view.Json]:
        """Return a summary of every endpoint."""
        return [view.summary(endpoint, self._fleet.state) for endpoint in self._endpoints.list()]

    def update_config(self, name: str, request: ConfigInput, user: str) -> view.Json:
        """Begin to replace what the endpoint serves; the old configuration serves until the new one is ready."""
        before = self._endpoint(name)
        self._check_not_updating(before)
        config = self._new_config(request, user, version=before.last_version + 1, current=before.config)
        with self._endpoints.transaction():
            endpoint = self._endpoint(name)
            self._check_not_updating(endpoint)
            changed = self._changed(endpoint, pending=config, config_update="IN_PROGRESS", last_version=config.version, outcome={})
            self._put(changed)
        self._update_in_background(changed)
        return self._detailed(changed)

    def put_ai_gateway(self, name: str, gateway: Gateway) -> Gateway:
        """Replace the endpoint's AI Gateway, at once, and return it."""
        filled = rules.check_gateway(gateway, name)
        with self._endpoints.transaction():
            endpoint = self._endpoint(name)
            self._apply_gateway(endpoint.id, filled)
            self._put(self._changed(endpoint, ai_gateway=filled))
        return filled

    def patch_tags(self, name: str, patch: TagsPatch) -> tuple[Tag, ...]:
        """Add and delete tags, at once, and return those there are."""
        with self._endpoints.transaction():
            endpoint = self._endpoint(name)
            tags = rules.patched(endpoint.tags, patch)
            self._put(self._changed(endpoint, tags=tags))
        return tags

    def delete(self, name: str) -> None:
        """Remove the endpoint. Its inference table stays."""
        with self._endpoints.transaction():
            endpoint = self._endpoint(name)
            self._check_not_updating(endpoint)
            self._payloads.disable(endpoint.id)
            self._endpoints.delete(name)
            self.invocations.withdraw(name)
        entities = endpoint.config.entities if endpoint.config else ()
        threading.Thread(target=self._fleet.retire, args=(entities,), name=f"retire-{name}", daemon=True).start()

    def logs(self, name: str, served_name: str, kind: str = "log") -> str:
        """Return the end of a served entity's log (what its process printed) or build log."""
        return self._fleet.log_text(self._entity(self._endpoint(name), served_name), kind)

    def openapi(self, name: str) -> view.Json:
        """Return the endpoint's OpenAPI document, made from the signatures of its models.

        Assumption: what the platform answers for an endpoint that is not ready, or a model without a signature, is not documented: 400.
        """
        endpoint = self._endpoint(name)
        if endpoint.config is None or not view.is_ready(endpoint, self._fleet.state):
            raise rules.invalid(f"Endpoint '{name}' is not ready; its OpenAPI document needs the served models.")
        files = {e.name: self._models.model_files(e.entity_name, e.entity_version) for e in endpoint.config.entities}
        signatures = {served: read_signature(folder) for served, folder in files.items()}
        for served, signature in signatures.items():
            if signature is None:
                raise rules.invalid(f"Served entity '{served}' of endpoint '{name}' has no model signature; log the model with one.")
        known = {served: signature for served, signature in signatures.items() if signature is not None}
        return openapi(name, endpoint.config.version, self._host_url, known)

    def served_entities(self) -> Sequence[ServedEntityRecord]:
        """Return every entity that was ever served: what `served_entity_id` in an inference table means."""
        return self._records.list()

    def _new_config(self, request: ConfigInput, creator: str, *, version: int, current: Config | None = None) -> Config:
        now = millis(self._clock.now())
        config = rules.new_config(request, version=version, creator=creator, now=now, new_id=self._ids.hex32, current=current)
        for entity in config.entities:
            self._models.model_files(entity.entity_name, entity.entity_version)  # 404 when there is no such version
        return config

    def _update_in_background(self, endpoint: Endpoint) -> None:
        threading.Thread(target=self._update, args=(endpoint,), name=f"update-{endpoint.name}", daemon=True).start()

    def _update(self, endpoint: Endpoint) -> None:
        """Bring up the pending configuration, then swap; processes are started and ended outside of the transaction."""
        pending = endpoint.pending
        assert pending is not None  # noqa: S101 - an update has one
        processes = self._fleet.start(pending)
        states = [process.settled() for process in processes]
        if self._closing:
            return
        failed = any(state.deployment != "DEPLOYMENT_READY" for state in states)
        if not failed:
            self._record(endpoint, pending)
        with self._endpoints.transaction():
            current = self._endpoint(endpoint.name)
            if failed:
                outcome = {entity.id: _outcome(state) for entity, state in zip(pending.entities, states, strict=True)}
                after = self._changed(current, config_update="UPDATE_FAILED", outcome=outcome)
            else:
                after = self._changed(current, config=pending, pending=None, config_update="NOT_UPDATING")
            self._put(after)
        self._retire_all_but(after.config, [*(current.config.entities if current.config else ()), *pending.entities])
        log.info("endpoint %s: update to version %d %s", endpoint.name, pending.version, "failed" if failed else "done")

    def _retire_all_but(self, kept: Config | None, entities: Sequence[ServedEntity]) -> None:
        ids = {entity.id for entity in kept.entities} if kept else set()
        self._fleet.retire([entity for entity in entities if entity.id not in ids])

    def _record(self, endpoint: Endpoint, config: Config) -> None:
        """Keep what the entities of `config` are, before any of their calls can be logged."""
        now = millis(self._clock.now())
        for entity in config.entities:
            record = ServedEntityRecord(
                served_entity_id=entity.id,
                endpoint_id=endpoint.id,
                endpoint_name=endpoint.name,
                served_entity_name=entity.name,
                entity_name=entity.entity_name,
                entity_version=entity.entity_version,
                endpoint_config_version=config.version,
                change_time=now,
            )
            self._records.put(entity.id, record)
        with self._recording:
            self._system_table.write(self._records.list())

    def _apply_gateway(self, endpoint_id: str, gateway: Gateway | None) -> None:
        table = gateway.inference_table_config if gateway else None
        if table is None or not table.enabled:
            self._payloads.disable(endpoint_id)
        else:
            self._payloads.enable(
                endpoint_id,
                catalog=table.catalog_name or "",
                schema=table.schema_name or "",
                prefix=table.table_name_prefix or "",
            )

    def _endpoint(self, name: str) -> Endpoint:
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{name}' does not exist.")
        return endpoint

    def _entity(self, endpoint: Endpoint, served_name: str) -> ServedEntity:
        for config in (endpoint.pending, endpoint.config):
            entity = config.entity(served_name) if config else None
            if entity is not None:
                return entity
        message = f"Served entity '{served_name}' of endpoint '{endpoint.name}' does not exist."
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)

    def _check_not_updating(self, endpoint: Endpoint) -> None:
        if endpoint.config_update == "IN_PROGRESS":
            message = f"Endpoint served entities are currently being updated; wait until the update of '{endpoint.name}' is done."
            raise ApiError(409, "RESOURCE_CONFLICT", message)

    def _changed(self, endpoint: Endpoint, **changes: object) -> Endpoint:
        return msgspec.structs.replace(endpoint, last_updated_timestamp=millis(self._clock.now()), **changes)

    def _put(self, endpoint: Endpoint) -> None:
        self._endpoints.put(endpoint.name, endpoint)
        self.invocations.publish(endpoint)

    def _detailed(self, endpoint: Endpoint) -> view.Json:
        return view.detailed(endpoint, self._fleet.state)


def _outcome(state: EntityState) -> EntityState:
    """Return how an entity of a failed update ends: one that was well is taken down with the one that failed."""
    if state.deployment == "DEPLOYMENT_FAILED":
        return state
    return EntityState("DEPLOYMENT_ABORTED", "Another served entity of the update failed.")
