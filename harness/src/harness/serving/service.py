"""The control plane of serving endpoints: documents, updates in the background, processes that match them."""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

import msgspec

from harness.clock import Clock, millis
from harness.config import Layout
from harness.engines.processes import Lifeline
from harness.engines.warm_parent import WarmParents
from harness.errors import ApiError
from harness.ids import Ids
from harness.serving import route_optimized, rules, view
from harness.serving.deployments import Deployments, check_not_updating
from harness.serving.endpoints import Endpoints
from harness.serving.fleet import Fleet
from harness.serving.invocations import Invocations
from harness.serving.limits import OLD_KEYS, RateLimits, checked_limits
from harness.serving.metrics import Metrics
from harness.serving.model import Config, ConfigInput, CreateEndpoint, Endpoint, ServedEntity
from harness.serving.ports import ModelEnvironments, ModelFiles, PayloadLog, Secrets
from harness.serving.process_settings import ProcessSettings
from harness.serving.settings import Settings
from harness.serving.signature import openapi, read_signature
from harness.serving.system_table import ServedEntityRecord, ServedEntityRecords
from harness.state import Store


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
        secrets: Secrets,
        host_url: str,
        parents: WarmParents | None = None,
        processes: ProcessSettings | None = None,
        time_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self.new_request_id = ids.uuid
        self._records = ServedEntityRecords(clock=clock, store=store, layout=layout)
        self._models = models
        self._payloads = payloads
        self._host_url = host_url.rstrip("/")
        self._fleet = Fleet(
            clock=clock,
            layout=layout,
            lifeline=lifeline,
            models=models,
            environments=environments,
            secrets=secrets,
            parents=parents,
            settings=processes,
        )
        self.limits = RateLimits(clock)
        self.metrics = Metrics(clock)
        self.invocations = Invocations(
            ids=ids, fleet=self._fleet, payloads=payloads, limits=self.limits, metrics=self.metrics, time_ns=time_ns
        )
        self._endpoints = Endpoints(clock=clock, store=store, publish=self.invocations.publish)
        self.settings = Settings(ids=ids, store=store, endpoints=self._endpoints, payloads=payloads)
        self.deployments = Deployments(clock=clock, endpoints=self._endpoints, fleet=self._fleet, records=self._records)

    def start(self) -> None:
        """Bring up what the documents say: active configurations again, updates that were under way to their end."""
        for endpoint in self._endpoints.list():
            self._endpoints.publish(endpoint)
            if endpoint.config is not None and not endpoint.stopped:
                self._fleet.start(endpoint.config)
            if endpoint.config_update == "IN_PROGRESS":
                self.deployments.begin(endpoint)

    def close(self) -> None:
        """End every model server. Updates under way go on at the next start. Twice without harm."""
        self.deployments.close()
        self._fleet.close()

    def create(self, request: CreateEndpoint, creator: str) -> view.Json:
        """Make an endpoint and begin to deploy its configuration."""
        rules.check_create(request)
        gateway = rules.check_gateway(request.ai_gateway, request.name) if request.ai_gateway else None
        rate_limits = checked_limits("rate_limits", request.rate_limits, OLD_KEYS)
        now = millis(self._clock.now())
        config = self._new_config(request.config, creator, version=1) if request.config is not None else None
        # Create drops telemetry where there is nothing to observe, PATCH refuses it: github.com/databricks/cli, libs/testserver
        telemetry = self.settings.telemetry(request.telemetry_config) if request.telemetry_config and config else None
        with self._endpoints.transaction():
            if self._endpoints.find(request.name) is not None:
                raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Serving endpoint with name {request.name} already exists")
            endpoint = Endpoint(
                id=self._ids.hex32(),
                name=request.name,
                creator=creator,
                creation_timestamp=now,
                last_updated_timestamp=now,
                description=request.description,
                route_optimized=request.route_optimized,
                tags=tuple(request.tags),
                ai_gateway=gateway,
                rate_limits=rate_limits,
                email_notifications=request.email_notifications,
                telemetry_config=telemetry,
                pending=config,
                config_update="IN_PROGRESS" if config else "NOT_UPDATING",
                last_version=1 if config else 0,
            )
            self.settings.log_calls(endpoint.id, gateway, telemetry)
            endpoint = self._endpoints.put(endpoint)
        if config is not None:
            self.deployments.begin(endpoint)
        return self._detailed(endpoint)

    def get(self, name: str) -> view.Json:
        """Return the endpoint as the API shows it."""
        return self._detailed(self._endpoints.get(name))

    def list(self, shows: Callable[[str], bool] = lambda _: True) -> list[view.Json]:
        """Return a summary of every endpoint whose creator `shows` lets through."""
        return [view.summary(endpoint, self._fleet.state) for endpoint in self._endpoints.list() if shows(endpoint.creator)]

    def update_config(self, name: str, request: ConfigInput, user: str) -> view.Json:
        """Begin to replace what the endpoint serves; the old configuration serves until the new one is ready."""
        before = self._endpoints.get(name)
        check_not_updating(before)
        config = self._new_config(request, user, version=before.last_version + 1, current=before.config)
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            check_not_updating(endpoint)
            changed = self._endpoints.put(endpoint, pending=config, config_update="IN_PROGRESS", last_version=config.version, outcome={})
        self.deployments.begin(changed)
        return self._detailed(changed)

    def create_provisioned_throughput(self, request: CreateEndpoint) -> NoReturn:
        """Refuse: provisioned throughput is for foundation models, and none is served here."""
        rules.check_create(request)
        self._refuse_throughput(request.config or ConfigInput())

    def update_provisioned_throughput(self, name: str, request: ConfigInput) -> NoReturn:
        """Refuse, if there is such an endpoint at all."""
        self._endpoints.get(name)
        self._refuse_throughput(request)

    def explain(self, name: str) -> view.Json:
        """Return how the endpoint's calls are answered: by which processes, in which of the two ways, and why."""
        endpoint = self._endpoints.get(name)
        config = endpoint.config or endpoint.pending
        shares = {route.served_entity_name: route.traffic_percentage for route in config.routes} if config else {}
        entities = [
            {
                "name": entity.name,
                "model": f"{entity.entity_name} version {entity.entity_version}",
                "traffic_percentage": shares.get(entity.name, 0),
                "state": msgspec.to_builtins(self._fleet.state(entity)),
                "concurrency": rules.concurrency(entity),
                "build": self._fleet.log_text(entity, "build.log").splitlines(),
                **self._fleet.description(entity),
            }
            for entity in (config.entities if config else ())
        ]
        return {"name": name, "served_entities": entities}

    def metrics_text(self, name: str) -> str:
        """Return the endpoint's metrics in Prometheus' text format."""
        return self.metrics.text(self._endpoints.get(name), self._fleet.usage)

    def delete(self, name: str) -> None:
        """Remove the endpoint. Its inference table stays."""
        entities = self._removed(name)
        threading.Thread(target=self._fleet.retire, args=(entities,), name=f"retire-{name}", daemon=True).start()

    def delete_of(self, creator: str) -> None:
        """Remove the endpoints of `creator`, with what their processes printed; those have ended on return."""
        for endpoint in self._endpoints.list():
            if endpoint.creator == creator:
                with contextlib.suppress(ApiError):  # nothing is under way, or no longer
                    self.deployments.cancel(endpoint.name)
                entities = [*self._removed(endpoint.name), *(endpoint.pending.entities if endpoint.pending else ())]
                self._fleet.retire(entities)
                self._fleet.forget(entities)

    def _removed(self, name: str) -> Sequence[ServedEntity]:
        """Remove an endpoint and return what it served."""
        with self._endpoints.transaction():
            endpoint = self._endpoints.get(name)
            check_not_updating(endpoint)
            self._payloads.disable(endpoint.id)
            self._endpoints.delete(name)
            self.invocations.withdraw(name)
            self.limits.forget(endpoint.id)
            self.metrics.forget(name)
        return endpoint.config.entities if endpoint.config else ()

    def logs(self, name: str, served_name: str, kind: str = "log") -> str:
        """Return the end of a served entity's log (what its process printed) or build log."""
        return self._fleet.log_text(self._entity(self._endpoints.get(name), served_name), kind)

    def openapi(self, name: str) -> view.Json:
        """Return the endpoint's OpenAPI document, made from the signatures of its models.

        Assumption: what the platform answers for an endpoint that is not ready, or a model without a signature, is not documented: 400.
        """
        endpoint = self._endpoints.get(name)
        if endpoint.config is None or not view.is_ready(endpoint, self._fleet.state):
            raise rules.invalid(f"Endpoint '{name}' is not ready; its OpenAPI document needs the served models.")
        files = {e.name: self._models.model_files(e.entity_name, e.entity_version) for e in endpoint.config.entities}
        signatures = {served: read_signature(folder) for served, folder in files.items()}
        for served, signature in signatures.items():
            if signature is None:
                raise rules.invalid(f"Served entity '{served}' of endpoint '{name}' has no model signature; log the model with one.")
        known = {served: signature for served, signature in signatures.items() if signature is not None}
        return openapi(name, endpoint.config.version, self._host_url, known)

    def is_route_optimized(self, endpoint_id: str) -> bool:
        """Return whether there is a route-optimized endpoint of this id."""
        return any(endpoint.id == endpoint_id and endpoint.route_optimized for endpoint in self._endpoints.list())

    def owner(self, endpoint_id: str) -> str | None:
        """Return who made the endpoint of this id, None when there is none: permissions go by the id."""
        return next((endpoint.creator for endpoint in self._endpoints.list() if endpoint.id == endpoint_id), None)

    def served_models(self) -> Sequence[tuple[str, str]]:
        """Return which endpoint serves which registered model, or is about to."""
        configs = ((each.name, config) for each in self._endpoints.list() for config in (each.config, each.pending) if config)
        return sorted({(name, entity.entity_name) for name, config in configs for entity in config.entities})

    def served_entities(self) -> Sequence[ServedEntityRecord]:
        """Return every entity that was ever served: what `served_entity_id` in an inference table means."""
        return self._records.list()

    def _new_config(self, request: ConfigInput, creator: str, *, version: int, current: Config | None = None) -> Config:
        now = millis(self._clock.now())
        config = rules.new_config(request, version=version, creator=creator, now=now, new_id=self._ids.hex32, current=current)
        for entity in config.entities:
            self._models.model_files(entity.entity_name, entity.entity_version)  # 404 when there is no such version
        return config

    def _refuse_throughput(self, request: ConfigInput) -> NoReturn:
        inputs = request.served_entities or request.served_models
        if not inputs:
            raise rules.invalid("served_entities: at least one served entity is required.")
        raise rules.not_eligible(inputs[0].entity_name or inputs[0].model_name)

    def _entity(self, endpoint: Endpoint, served_name: str) -> ServedEntity:
        for config in (endpoint.pending, endpoint.config):
            entity = config.entity(served_name) if config else None
            if entity is not None:
                return entity
        message = f"Served entity '{served_name}' of endpoint '{endpoint.name}' does not exist."
        raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", message)

    def _detailed(self, endpoint: Endpoint) -> view.Json:
        return {**view.detailed(endpoint, self._fleet.state), **route_optimized.shown(endpoint, self._host_url)}
