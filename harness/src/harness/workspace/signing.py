"""URLs that need no token, because they carry a signature: for one thing, one method, one hour."""

import hashlib
import hmac
from typing import Literal
from urllib.parse import urlencode

from harness.clock import Clock
from harness.errors import ApiError

Access = Literal["GET", "PUT", "PART", "ABORT"]
SIGNED_URL_SECONDS = 3600
SIGNED_URL_PATH = "/__files/signed"


class UrlSigner:
    """Signs with a secret that never leaves the process."""

    def __init__(self, *, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def url(self, subject: str, access: Access) -> str:
        """Return the path and query of a signed URL."""
        expires = str(int(self._clock.now().timestamp()) + SIGNED_URL_SECONDS)
        query = {"path": subject, "access": access, "expires": expires, "signature": self.digest(access, expires, subject)}
        return f"{SIGNED_URL_PATH}?{urlencode(query)}"

    def is_expired(self, subject: str, access: str, expires: str, signature: str) -> bool:
        """Return whether this signer signed exactly this too long ago; raise 403 when it did not sign it."""
        if not hmac.compare_digest(signature.encode(), self.digest(access, expires, subject).encode()):
            raise ApiError(403, "PERMISSION_DENIED", "The signature of this URL is wrong; ask for a new URL")
        return int(expires) < self._clock.now().timestamp()

    def digest(self, *texts: str) -> str:
        """Return 64 hexadecimal digits that nobody else can compute from `texts`."""
        message = "\n".join(f"{len(text)}:{text}" for text in texts).encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()
