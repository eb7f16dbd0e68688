import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from databricks.sdk.errors import BadRequest, DeadlineExceeded, InternalError, ResourceConflict, TemporarilyUnavailable
from databricks.sdk.service.serving import ServingEndpointDetailed

from serving_client.answers import fault_in
from serving_client.endpoint import Endpoint
from serving_client.errors import VerificationFailed
from serving_client.helper import Helper
from serving_client.plan import DeploymentPlan, EndpointConfig, alone, beside, current, loaded, name_is_free, previous, shifted, target
from serving_client.query import query
from serving_client.retry import Retry
from serving_client.waiting import Waiting, Watch

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


class Registry(Protocol):
    """The aliases of a registered model, as `MlflowClient` offers them."""

    def get_registered_model(self, name: str) -> Any:
        """Return the model; `.aliases` maps alias to version."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Point `alias` at `version`."""

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove `alias`."""


# How the `client_request_id` of a verification begins: whoever reads the inference table can tell it from a use of the model.
CHECK = "deployment-check"

# What a version answers that cannot do its work. Anything else (no permission, throttled, gone) says nothing about it.
_ITS_FAULT = (BadRequest, InternalError, TemporarilyUnavailable, DeadlineExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Carries out a `DeploymentPlan`: verify, move traffic, watch, alias last; on any failure restore what served before.

    Every step looks at the endpoint before it changes it, so a run that died anywhere is finished by the next one.
    A version is verified as a second served entity at 0 % traffic. Where that is not possible – the endpoint is new, or
    route-optimized (its data plane cannot ask one entity), or refuses a second entity – it is verified on an endpoint of
    its own, `DeploymentPlan.helper`, which is removed afterwards.
    """

    workspace: "WorkspaceClient"
    registry: Registry
    progress: Callable[[str], None]
    waiting: Waiting = field(default_factory=Waiting)
    retry: Retry = field(default_factory=Retry)
    watch: Watch = field(default_factory=Watch)

    def deploy(self, plan: DeploymentPlan, example: Mapping[str, Any]) -> None:
        """Make the endpoint serve the planned version with all traffic, then call it Champion.

        Args:
            plan: what to serve.
            example: the body of a real request, sent to the version before it gets traffic and while it is watched.

        Raises:
            VerificationFailed: the version does not answer well; the previous configuration serves.
            ServingError: an update failed or did not end in time; the previous configuration serves.
        """
        helper = Helper(self._endpoint(plan.helper), plan, self.progress)
        try:
            self._deploy(plan, example, helper)
        except Exception as error:
            try:
                helper.remove()
            except OSError as left:  # what the SDK and its connections raise
                error.add_note(f"endpoint {plan.helper} may be left; the next deployment removes it ({left})")
            raise
        helper.remove()

    def _deploy(self, plan: DeploymentPlan, example: Mapping[str, Any], helper: Helper) -> None:
        endpoint, champion = self._endpoint(plan.endpoint), self._champion(plan)
        found = endpoint.settled()
        before = current(found.config if found else None)
        try:
            self._serve(plan, example, endpoint=endpoint, helper=helper, found=found)
            endpoint.log_requests(plan)
            self._crown(plan, champion)
        except Exception as error:
            self._put_back(endpoint, previous(before, plan, champion=champion), error, is_new=found is None)
            raise
        self._retire_challenger(plan)

    def _serve(
        self,
        plan: DeploymentPlan,
        example: Mapping[str, Any],
        *,
        endpoint: Endpoint,
        helper: Helper,
        found: ServingEndpointDetailed | None,
    ) -> None:
        before = current(found.config if found else None)
        route_optimized = bool(found and found.route_optimized)
        entity = plan.entity_name
        if not loaded(before, plan) or (route_optimized and before.traffic.get(entity, 0) < 100):
            self._verify_new(plan, example, endpoint=endpoint, helper=helper, before=before, apart=route_optimized)
        elif not route_optimized:
            self._ask(plan, example, where=plan.endpoint, served_entity=entity)
        if found is None:
            endpoint.create(target(plan), wants=entity)
        elif loaded(endpoint.config(), plan):
            endpoint.update(shifted(endpoint.config(), plan), "move traffic to the new version", wants=entity)
        else:
            endpoint.update(target(plan), "replace what serves", wants=entity)
        self._watch(plan, example, pauses=[0.0] if alone(before, plan) else self.watch.pauses())
        endpoint.update(target(plan), "unload what served before", wants=entity)

    def _verify_new(
        self, plan: DeploymentPlan, example: Mapping[str, Any], *, endpoint: Endpoint, helper: Helper, before: EndpointConfig, apart: bool
    ) -> None:
        """Verify a version that has no traffic; afterwards it is loaded beside what serves, where that is possible."""
        may_stand_beside = bool(before.entities) and name_is_free(before, plan)
        if may_stand_beside and not apart and self._load_beside(plan, endpoint, before):
            self._ask(plan, example, where=plan.endpoint, served_entity=plan.entity_name)
            return
        helper.serve()
        self._ask(plan, example, where=plan.helper, served_entity=None)
        helper.remove()
        if may_stand_beside and apart:
            self._load_beside(plan, endpoint, before)

    def _load_beside(self, plan: DeploymentPlan, endpoint: Endpoint, before: EndpointConfig) -> bool:
        try:
            endpoint.update(beside(before, plan), "load the new version at 0 % traffic", wants=plan.entity_name)
        except BadRequest as refusal:  # such as: as many served entities as an endpoint may have
            self.progress(f"endpoint {plan.endpoint}: refuses {plan.entity_name} beside {', '.join(before.names)}: {refusal}")
            return False
        return True

    def _watch(self, plan: DeploymentPlan, example: Mapping[str, Any], *, pauses: list[float]) -> None:
        for pause in pauses:
            self.waiting.sleep(pause)
            self._ask(plan, example, where=plan.endpoint, served_entity=None)

    def _ask(self, plan: DeploymentPlan, example: Mapping[str, Any], *, where: str, served_entity: str | None) -> None:
        told = f"endpoint {where}" + (f", served entity {served_entity}" if served_entity else "")
        check = f"{CHECK}-{plan.entity_name}-{uuid.uuid4().hex}"
        try:
            answer = query(self.workspace, where, body=example, served_entity=served_entity, retry=self.retry, client_request_id=check)
        except _ITS_FAULT as error:
            raise VerificationFailed(f"{told}: {plan.model} version {plan.version} refused its example request: {error}") from error
        if fault := fault_in(answer, example):
            raise VerificationFailed(f"{told}: {plan.model} version {plan.version}: {fault}")
        self.progress(f"{told}: answers, predictions {str(answer['predictions'])[:80]}")

    def _put_back(self, endpoint: Endpoint, back: EndpointConfig, error: Exception, *, is_new: bool) -> None:
        if back.entities:
            endpoint.restore(back, error)
        elif is_new and not isinstance(error, ResourceConflict) and endpoint.find() is not None:  # a conflict: somebody else made it
            self.progress(f"{error}; nothing served before")
            endpoint.delete()
        else:
            self.progress(f"{error}; nothing served before, so nothing is restored")

    def _champion(self, plan: DeploymentPlan) -> str | None:
        champion = self.registry.get_registered_model(plan.model).aliases.get("Champion")
        return None if champion is None else str(champion)

    def _crown(self, plan: DeploymentPlan, champion: str | None) -> None:
        if champion != plan.version:
            self.registry.set_registered_model_alias(plan.model, "Champion", plan.version)
        self.progress(f"model {plan.model}: version {plan.version} is Champion")

    def _retire_challenger(self, plan: DeploymentPlan) -> None:
        if str(self.registry.get_registered_model(plan.model).aliases.get("Challenger")) == plan.version:
            self.registry.delete_registered_model_alias(plan.model, "Challenger")

    def _endpoint(self, name: str) -> Endpoint:
        return Endpoint(name=name, workspace=self.workspace, progress=self.progress, waiting=self.waiting)
