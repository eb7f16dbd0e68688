"""OAuth as data: what clients ask the token endpoint for, what it refuses, and what tokens say. Pure."""

import math
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from harness.config import ISOLATED_USERS
from harness.http import Identity

CLIENT_CREDENTIALS = "client_credentials"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALL_APIS = "all-apis"
# An hour: docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m
TOKEN_SECONDS = 3600
FORM = "application/x-www-form-urlencoded"

_NOT_AUTHORIZED = "User is not authorized to the requested authorizations"


class OAuthError(Exception):
    """A refusal of the token endpoint, as RFC 6749 (section 5.2) and RFC 9396 (section 5) say it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description

    @property
    def status(self) -> int:
        """Return the HTTP status: 401 asks for other credentials, 400 for another request."""
        return 401 if self.error == "invalid_client" else 400


class AuthorizationDetail(msgspec.Struct, frozen=True):
    """What a token is good for; databricks-sdk-py: databricks/sdk/oauth.py, AuthorizationDetail."""

    type: str
    object_type: str
    object_path: str
    actions: list[str]


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a token says about its bearer. Without `exp` it never ends; with `authorization_details` it is good for those alone."""

    iss: str
    sub: str
    aud: str
    iat: int
    jti: str
    exp: int | None = None
    scope: str = ""
    authorization_details: list[AuthorizationDetail] = []
    ai_query: bool = False

    def identity(self) -> Identity:
        """Return the caller that a genuine token with these claims stands for."""
        endpoint_id = self.authorization_details[0].object_path.rpartition("/")[2] if self.authorization_details else None
        expires = math.inf if self.exp is None else self.exp
        return Identity(self.sub, endpoint_id, expires, isolated=self.sub.endswith(ISOLATED_USERS), ai_query=self.ai_query)


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The form of POST /oidc/v1/token; the client's credentials may come in the header instead."""

    grant_type: str
    client_id: str | None = None
    client_secret: str | None = None
    scope: str = ALL_APIS
    authorization_details: str | None = None
    assertion: str | None = None


class Granted(msgspec.Struct, frozen=True):
    """What the token endpoint answers; a token with authorization_details has no scope beside them."""

    access_token: str
    scope: str | msgspec.UnsetType = msgspec.UNSET
    token_type: str = "Bearer"  # noqa: S105 - the kind of token, not one
    expires_in: int = TOKEN_SECONDS


def token_request(headers: Mapping[str, str], body: bytes) -> TokenRequest:
    """Return what a client asks for, or raise `invalid_request`; the client's credentials come from the form or from Basic."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"The request must be sent as {FORM}")
    form = _form(body)
    basic = _basic(headers.get("authorization"))
    if basic is not None and "client_secret" in form:
        raise OAuthError("invalid_request", "The client must authenticate in one way only: Basic, or client_id and client_secret")
    if "grant_type" not in form:
        raise OAuthError("invalid_request", "grant_type is missing")
    return msgspec.convert({**form, **(basic or {})}, TokenRequest)


def endpoint_asked_for(authorization_details: str) -> tuple[str, list[AuthorizationDetail]]:
    """Return the id of the one endpoint that these details name, and the details; or raise `invalid_authorization_details`."""
    try:
        details = msgspec.json.decode(authorization_details, type=list[AuthorizationDetail])
    except msgspec.MsgspecError as error:
        raise OAuthError("invalid_authorization_details", f"authorization_details cannot be read: {error}") from error
    # Assumption: a token is for one endpoint and for querying it; nothing else has been seen, so all else is what nobody may do.
    if len(details) != 1:
        raise not_authorized()
    one = details[0]
    prefix, _, endpoint_id = one.object_path.rpartition("/")
    known = (one.type, one.object_type, prefix, one.actions) == (
        "workspace_permission",
        "serving-endpoints",
        "/serving-endpoints",
        ["query_inference_endpoint"],
    )
    if not known or not endpoint_id:
        raise not_authorized()
    return endpoint_id, details


def not_authorized() -> OAuthError:
    """Return the refusal of details that name what the client may not do (wording: seen in a public project)."""
    return OAuthError("invalid_authorization_details", _NOT_AUTHORIZED)


def _form(body: bytes) -> dict[str, str]:
    try:  # a parameter without a value counts as omitted, as RFC 6749, section 3.2, has it
        pairs = parse_qsl(body.decode(), max_num_fields=32, errors="strict")
    except ValueError as error:
        raise OAuthError("invalid_request", "The body is not a form") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A parameter is repeated")  # RFC 6749, section 3.2
    return form


def _basic(authorization: str | None) -> dict[str, str] | None:
    if authorization is None:
        return None
    scheme, _, given = authorization.partition(" ")
    try:
        client_id, colon, client_secret = b64decode(given, validate=True).decode().partition(":")
    except (Base64Error, ValueError):
        colon = client_id = client_secret = ""
    if scheme.lower() != "basic" or not colon:
        raise invalid_client()
    return {"client_id": client_id, "client_secret": client_secret}


def invalid_client() -> OAuthError:
    """Return the refusal of a client that is unknown or whose secret is wrong (github.com/databricks/databricks-sql-nodejs/issues/279)."""
    return OAuthError("invalid_client", "Client authentication failed")
