from collections.abc import Callable
from dataclasses import dataclass

from databricks.sdk.service.serving import ServingEndpointDetailed

from serving_client.endpoint import Endpoint
from serving_client.errors import ServingError
from serving_client.plan import DeploymentPlan, current, loaded, target

# The tag by which a helper endpoint is known as ours, so that nobody else's is ever deleted.
TAG = "serving_client_verifies"


@dataclass(frozen=True, slots=True)
class Helper:
    """The second endpoint on which a version is verified where it cannot be loaded beside what serves.

    It has no inference table. What a run that died left of it is used, when it serves the planned version, or removed.
    """

    endpoint: Endpoint
    plan: DeploymentPlan
    progress: Callable[[str], None]

    def serve(self) -> None:
        """Serve the planned version on the helper endpoint."""
        self.progress(f"endpoint {self.plan.endpoint}: {self.plan.entity_name} is verified on {self.endpoint.name} first")
        usable = self._left() and self._is_usable()
        if not usable:
            self.endpoint.create(target(self.plan), tags={TAG: self.plan.endpoint}, wants=self.plan.entity_name)

    def remove(self) -> None:
        """Delete the helper endpoint when there is one; an endpoint of somebody else's under its name is left alone."""
        found = self.endpoint.find()
        if found is not None and self._is_ours(found):
            self.endpoint.delete()

    def _left(self) -> bool:
        """Whether a run that died left the helper endpoint."""
        found = self.endpoint.find()
        if found is not None and not self._is_ours(found):
            raise ServingError(
                f"endpoint {self.endpoint.name} exists and is no helper of {self.plan.endpoint} (no tag {TAG}), but its name is needed "
                f"to verify {self.plan.entity_name} before traffic: delete it, or name one of the two differently"
            )
        return found is not None

    def _is_usable(self) -> bool:
        """Whether what is left serves the planned version; when it does not, it is deleted."""
        found = self.endpoint.settled()
        usable = found is not None and loaded(current(found.config), self.plan)
        if found is not None and not usable:
            self.endpoint.delete()
        return usable

    def _is_ours(self, found: ServingEndpointDetailed) -> bool:
        return any(tag.key == TAG and tag.value == self.plan.endpoint for tag in found.tags or [])
