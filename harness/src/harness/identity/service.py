"""The token endpoint: who gets a token, and what it is good for."""

import msgspec

from harness.identity import model
from harness.identity.credentials import Credentials
from harness.identity.model import AuthorizationDetail, Granted, OAuthError, TokenRequest
from harness.identity.ports import Endpoints


class IdentityService:
    """Gives tokens to the service principal, and restricted tokens to whoever has a token."""

    def __init__(self, *, credentials: Credentials, endpoints: Endpoints) -> None:
        self._credentials = credentials
        self._endpoints = endpoints

    def grant(self, request: TokenRequest) -> Granted:
        """Return the token that `request` asks for, or raise `OAuthError`."""
        match request.grant_type:
            case model.CLIENT_CREDENTIALS:
                user = self._client(request)
            case model.JWT_BEARER:
                user = self._asserted(request)
            case _:
                raise OAuthError("unsupported_grant_type", f"grant_type '{request.grant_type}' is not supported")
        # Assumption: the scopes of single APIs, which the platform has, are refused rather than widened to all of them.
        if set(request.scope.split()) - {model.ALL_APIS, "offline_access"}:
            raise OAuthError("invalid_scope", f"scope '{request.scope}' is not supported; use {model.ALL_APIS}")
        details = self._details(request)
        return Granted(self._credentials.token(user, details), msgspec.UNSET if details else model.ALL_APIS)

    def _client(self, request: TokenRequest) -> str:
        client_id, client_secret = request.client_id or "", request.client_secret or ""
        if not self._credentials.is_client(client_id, client_secret):
            raise model.invalid_client()
        return client_id

    def _asserted(self, request: TokenRequest) -> str:
        if request.assertion is None or request.authorization_details is None:
            raise OAuthError("invalid_request", "assertion and authorization_details are required for this grant_type")
        asserted = self._credentials.bearer(request.assertion)
        # Assumption: a personal access token is no assertion (the official client refuses to send one), nor is a token for one endpoint.
        if asserted is None or asserted.endpoint_id is not None:
            raise OAuthError("invalid_grant", "The assertion is not a valid token of this workspace, or has expired")
        return asserted.user

    def _details(self, request: TokenRequest) -> list[AuthorizationDetail]:
        if request.authorization_details is None:
            return []
        endpoint_id, details = model.endpoint_asked_for(request.authorization_details)
        # Every user may query every endpoint, as everywhere in the harness: permissions are recorded and not enforced.
        if not self._endpoints.is_route_optimized(endpoint_id):
            raise model.not_authorized()
        return details
