"""Every credential a caller can have, and whose it is."""

import hmac
from collections.abc import Sequence

from harness.clock import Clock
from harness.config import SERVICE_PRINCIPAL_ID, WORKSPACE_ID
from harness.http import Identity, credential
from harness.identity import tokens
from harness.identity.model import ALL_APIS, TOKEN_SECONDS, AuthorizationDetail, Claims
from harness.ids import Ids

_REMEMBERED = 4096


class Credentials:
    """Tells callers apart (an `Authenticator`), and makes the tokens that it knows again, also after a restart on the same state folder.

    Known are the user's personal access token and whatever was signed with `key`.
    """

    def __init__(self, *, clock: Clock, ids: Ids, key: bytes, host: str, personal_token: str, user: str) -> None:
        self._clock = clock
        self._ids = ids
        self._key = key
        self._issuer = f"{host}/oidc"
        self._personal_token = personal_token.encode()
        self._user = user
        self._known: dict[str, Identity] = {}
        self._admitted: set[str] = set()

    @property
    def client_secret(self) -> str:
        """The OAuth secret of the service principal: the same as long as the state folder lives."""
        return f"dose{tokens.derived(self._key, f'client secret of {SERVICE_PRINCIPAL_ID}')}"

    def is_client(self, client_id: str, client_secret: str) -> bool:
        """Return whether these are the service principal's."""
        return client_id == SERVICE_PRINCIPAL_ID and hmac.compare_digest(client_secret.encode(), self.client_secret.encode())

    def authenticate(self, authorization: str) -> Identity | None:
        """Return whose `Authorization` header this is; a header seen before costs one look into a dictionary."""
        known = self._known.get(authorization)
        if known is not None:
            return known
        found = self._identity(authorization)
        if found is not None and not found.isolated:  # not remembered: strangers', so that they push out nobody's, and those that may end
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[authorization] = found
        return found

    def bearer(self, token: str) -> Identity | None:
        """Return whom an OAuth token of this harness stands for, if it has not ended."""
        claims = tokens.read(token, self._key)
        if claims is None:
            return None
        identity = claims.identity()
        if identity.isolated and identity.user not in self._admitted:
            return None
        return identity if identity.expires > self._clock.now().timestamp() else None

    def token(self, user: str, details: Sequence[AuthorizationDetail] = ()) -> str:
        """Return a token of `user` for the next hour: for everything, or for what `details` name."""
        now = int(self._clock.now().timestamp())
        scope = "" if details else ALL_APIS
        return self._signed(user, iat=now, exp=now + TOKEN_SECONDS, scope=scope, authorization_details=list(details))

    def admit(self, user: str) -> str:
        """Return a token of the user of an isolated workspace, good until the user is dismissed."""
        self._admitted.add(user)
        return self.of(user)

    def of(self, user: str) -> str:
        """Return another token of such a user."""
        return self._signed(user, iat=int(self._clock.now().timestamp()), scope=ALL_APIS)

    def dismiss(self, user: str) -> None:
        """Know no token of this user any more, nor one made with it."""
        self._admitted.discard(user)

    def ai_query_token(self) -> str:
        """Return the token with which `ai_query` calls for the user, as long as the engine lives."""
        return self._signed(self._user, iat=int(self._clock.now().timestamp()), scope=ALL_APIS, ai_query=True)

    def _signed(self, user: str, **claims: object) -> str:
        return tokens.sign(Claims(iss=self._issuer, sub=user, aud=WORKSPACE_ID, jti=self._ids.uuid(), **claims), self._key)  # type: ignore[arg-type]  # each caller names fields of Claims

    def _identity(self, authorization: str) -> Identity | None:
        given = credential(authorization)
        if given is None:
            return None
        if hmac.compare_digest(given.encode(), self._personal_token):
            return Identity(self._user)
        return self.bearer(given)
