"""What identity needs from others."""

from typing import Protocol


class Endpoints(Protocol):
    """Serving endpoints, seen from identity."""

    def is_route_optimized(self, endpoint_id: str) -> bool:
        """Return whether there is a route-optimized endpoint of this id."""
        ...
