"""Who calls: OAuth for service principals, tokens that are good for one route-optimized endpoint, and telling callers apart."""

from harness.identity.credentials import Credentials
from harness.identity.keys import signing_key
from harness.identity.ports import Endpoints
from harness.identity.routes import routes
from harness.identity.service import IdentityService

__all__ = ["Credentials", "Endpoints", "IdentityService", "routes", "signing_key"]
