"""The documents of endpoints: read, changed in transactions, told to the data plane at each change."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import msgspec

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.serving.model import Endpoint
from harness.state import Documents, Store


class Endpoints:
    """Every endpoint by name; `publish` is told what an endpoint is from now on."""

    def __init__(self, *, clock: Clock, store: Store, publish: Callable[[Endpoint], None]) -> None:
        self._clock = clock
        self._documents = Documents(store, "serving_endpoint", Endpoint)
        self._publish = publish

    def transaction(self) -> AbstractContextManager[None]:
        """Return the store's transaction."""
        return self._documents.transaction()

    def list(self) -> Sequence[Endpoint]:
        """Return every endpoint, in order of their names."""
        return self._documents.list()

    def find(self, name: str) -> Endpoint | None:
        """Return the endpoint, or None."""
        return self._documents.get(name)

    def get(self, name: str) -> Endpoint:
        """Return the endpoint, or raise the platform's 404."""
        endpoint = self._documents.get(name)
        if endpoint is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{name}' does not exist.")
        return endpoint

    def put(self, endpoint: Endpoint, **changes: object) -> Endpoint:
        """Keep `endpoint` with `changes`, updated now, publish it and return it."""
        changed = msgspec.structs.replace(endpoint, last_updated_timestamp=millis(self._clock.now()), **changes)
        self._documents.put(changed.name, changed)
        self.publish(changed)
        return changed

    def publish(self, endpoint: Endpoint) -> None:
        """Tell the data plane what `endpoint` is: while it is stopped, one that serves nothing."""
        self._publish(msgspec.structs.replace(endpoint, config=None) if endpoint.stopped else endpoint)

    def delete(self, name: str) -> None:
        """Forget the endpoint's document."""
        self._documents.delete(name)
