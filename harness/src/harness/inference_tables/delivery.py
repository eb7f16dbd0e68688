"""How rows reach their tables: late, twice or never, on request, so that consumers of the log can be tested against it."""

from typing import Annotated

import msgspec

Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Delivery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tests can ask for. The platform promises "at least once", within the hour, best effort.

    `delay_seconds` is how long a row waits before its table shows it, those that wait already included; a flush does not wait for it.
    Of the calls answered from then on, `duplicate_fraction` come twice (the same `databricks_request_id`, both rows alike) and
    `lost_fraction` never. Which ones depends on their ids and on `seed`, nothing else. A restart of the harness forgets the request, but
    keeps it for the calls answered under it.
    """

    delay_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    duplicate_fraction: Fraction = 0.0
    lost_fraction: Fraction = 0.0
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0
