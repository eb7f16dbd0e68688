"""Callers and their credentials, from outside: the unmodified client, and plain HTTP where a client would not go."""

import json
from base64 import b64encode
from typing import Protocol

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied, Unauthenticated

PRINCIPAL = "7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NOT_AUTHORIZED = {
    "error": "invalid_authorization_details",
    "error_description": "User is not authorized to the requested authorizations",
}


class Secrets(Protocol):
    """The service principal's."""

    client_secret: str


class Platform(Protocol):
    """A running workspace (conftest)."""

    host: str
    personal_token: str
    credentials: Secrets

    def personal(self) -> WorkspaceClient: ...
    def principal(self) -> WorkspaceClient: ...
    def grant(self, **form: str) -> httpx.Response: ...
    def post_form(self, form: dict[str, str], auth: tuple[str, str] | None = None) -> httpx.Response: ...
    def get(self, path: str, token: str) -> httpx.Response: ...


@pytest.fixture(scope="module")
def details(platform: Platform) -> str:
    """The authorization_details of a route-optimized endpoint that nothing is deployed to."""
    shown = platform.get("/api/2.0/serving-endpoints/waiting", platform.personal_token)
    if shown.status_code == 404:
        body = {"name": "waiting", "route_optimized": True}
        headers = {"Authorization": f"Bearer {platform.personal_token}"}
        shown = httpx.post(f"{platform.host}/api/2.0/serving-endpoints", json=body, headers=headers, trust_env=False)
    return str(shown.json()["data_plane_info"]["query_info"]["authorization_details"])


def all_apis(platform: Platform) -> str:
    """Return a token of the service principal for everything."""
    return str(platform.grant(grant_type="client_credentials", scope="all-apis").json()["access_token"])


def test_service_principal_is_itself(platform: Platform) -> None:
    """An id and a secret are enough for the client; the workspace says who that is."""
    me = platform.principal().current_user.me()

    assert (me.user_name, me.display_name, me.active, me.emails) == (PRINCIPAL, "harness", True, [])
    assert me.id != platform.personal().current_user.me().id


def test_service_principal_may_do_what_the_user_may(platform: Platform) -> None:
    """Routes of every kind know its tokens, and what it makes bears its name."""
    principal = platform.principal()
    principal.workspace.mkdirs("/Shared/made-by-the-principal")
    principal.secrets.create_scope("principals")

    assert [one.path for one in platform.personal().workspace.list("/Shared")] == ["/Shared/made-by-the-principal"]
    assert [acl.principal for acl in platform.personal().secrets.list_acls("principals")] == [PRINCIPAL]
    assert list(principal.serving_endpoints.list()) == list(platform.personal().serving_endpoints.list())


def test_wrong_secret_is_told_by_the_client(platform: Platform) -> None:
    """The client passes on what OAuth says."""
    with pytest.raises(ValueError, match="invalid_client: Client authentication failed"):
        WorkspaceClient(host=platform.host, client_id=PRINCIPAL, client_secret="wrong", auth_type="oauth-m2m").current_user.me()


def test_discovery_needs_no_token(platform: Platform) -> None:
    """The two documents that a client reads before it has any."""
    config = httpx.get(f"{platform.host}/.well-known/databricks-config", trust_env=False).json()
    server = httpx.get(f"{config['oidc_endpoint']}/.well-known/oauth-authorization-server", trust_env=False).json()

    assert server["token_endpoint"] == f"{platform.host}/oidc/v1/token"
    assert server["authorization_endpoint"] == f"{platform.host}/oidc/v1/authorize"


def test_token_is_for_an_hour_and_not_for_caches(platform: Platform) -> None:
    """The platform's answer, key by key."""
    answer = platform.grant(grant_type="client_credentials", scope="all-apis")
    token = answer.json().pop("access_token")

    assert answer.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "all-apis"}
    assert answer.headers["cache-control"] == "no-store"
    assert platform.get("/api/2.0/preview/scim/v2/Me", token).json()["userName"] == PRINCIPAL


def test_credentials_may_come_in_the_form(platform: Platform) -> None:
    """The other way that RFC 6749 has."""
    form = {"grant_type": "client_credentials", "client_id": PRINCIPAL, "client_secret": platform.credentials.client_secret}
    assert platform.post_form(form).status_code == 200


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        pytest.param({"grant_type": "client_credentials"}, (PRINCIPAL, "wrong"), 401, "invalid_client", id="wrong secret"),
        pytest.param({"grant_type": "client_credentials"}, ("stranger", "wrong"), 401, "invalid_client", id="unknown client"),
        pytest.param({"grant_type": "client_credentials"}, None, 401, "invalid_client", id="no credentials"),
        pytest.param({"grant_type": "client_credentials", "client_secret": "x"}, ("a", "b"), 400, "invalid_request", id="both ways"),
        pytest.param({"grant_type": "password"}, None, 400, "unsupported_grant_type", id="other grant"),
        pytest.param({"scope": "all-apis"}, None, 400, "invalid_request", id="no grant"),
        pytest.param({"grant_type": JWT_BEARER}, None, 400, "invalid_request", id="no assertion"),
        pytest.param(
            {"grant_type": JWT_BEARER, "assertion": "x.y.z", "authorization_details": "[]"}, None, 400, "invalid_grant", id="bad assertion"
        ),
    ],
)
def test_refusals_are_oauths(platform: Platform, form: dict[str, str], auth: tuple[str, str] | None, status: int, error: str) -> None:
    """Status and `error` of RFC 6749; 401 names the scheme."""
    answer = platform.post_form(form, auth)

    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b"grant_type=client_credentials&grant_type=x", "application/x-www-form-urlencoded", id="repeated"),
        pytest.param(b"\xff=\xfe", "application/x-www-form-urlencoded", id="not UTF-8"),
        pytest.param(b"grant_type=%ff", "application/x-www-form-urlencoded", id="not UTF-8 when decoded"),
        pytest.param(b"&".join(b"k%d=v" % n for n in range(99)), "application/x-www-form-urlencoded", id="many fields"),
        pytest.param(b'{"grant_type": "client_credentials"}', "application/json", id="JSON"),
        pytest.param(b"", "application/x-www-form-urlencoded", id="nothing"),
    ],
)
def test_what_is_no_form_is_an_invalid_request(platform: Platform, content: bytes, content_type: str) -> None:
    """Never a 500."""
    url, headers = f"{platform.host}/oidc/v1/token", {"content-type": content_type}
    answer = httpx.post(url, content=content, headers=headers, trust_env=False)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("given", ["Basic !", "Basic " + b64encode(b"no colon").decode(), "Bearer x", "Basic", "Basic /w=="])
def test_broken_authorization_is_an_invalid_client(platform: Platform, given: str) -> None:
    """Whatever stands in the header."""
    url, form = f"{platform.host}/oidc/v1/token", {"grant_type": "client_credentials"}
    answer = httpx.post(url, data=form, headers={"authorization": given}, trust_env=False)

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_other_scopes_are_refused(platform: Platform) -> None:
    """Assumption: a token for one API is not given, rather than one for all."""
    assert platform.grant(grant_type="client_credentials", scope="sql").json()["error"] == "invalid_scope"
    assert platform.grant(grant_type="client_credentials", scope="all-apis offline_access").status_code == 200


def test_token_for_an_endpoint_is_good_for_nothing_else(platform: Platform, details: str) -> None:
    """The rest of the workspace refuses it with 403, routes of every kind."""
    answer = platform.grant(grant_type="client_credentials", scope="all-apis", authorization_details=details)
    token = answer.json()["access_token"]

    assert set(answer.json()) == {"access_token", "token_type", "expires_in"}
    for path in ("/api/2.0/preview/scim/v2/Me", "/api/2.0/serving-endpoints/waiting", "/api/2.0/nothing-like-this"):
        refused = platform.get(path, token)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED"), path
    with pytest.raises(PermissionDenied, match="does not have required scopes: all-apis"):
        WorkspaceClient(host=platform.host, token=token, auth_type="pat").secrets.list_scopes()


def test_token_is_exchanged_for_one_of_an_endpoint(platform: Platform, details: str) -> None:
    """What the client does before it calls a route-optimized endpoint: no Authorization header, the token as assertion."""
    form = {"grant_type": JWT_BEARER, "assertion": all_apis(platform), "authorization_details": details}

    answer = platform.post_form(form)

    assert (answer.status_code, answer.json()["expires_in"]) == (200, 3600)
    again = platform.post_form({**form, "assertion": answer.json()["access_token"]})
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_personal_token_is_no_assertion(platform: Platform, details: str) -> None:
    """Route-optimized endpoints are for OAuth; the official client refuses it before it asks."""
    form = {"grant_type": JWT_BEARER, "assertion": platform.personal_token, "authorization_details": details}

    assert platform.post_form(form).json()["error"] == "invalid_grant"
    with pytest.raises(ValueError, match="OAuth tokens are not available for pat authentication"):
        platform.personal().serving_endpoints_data_plane.query("waiting", dataframe_records=[{"a": 1}])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"object_path": "/serving-endpoints/00000000000000000000000000000000"}, id="no such endpoint"),
        pytest.param({"object_path": "/serving-endpoints/"}, id="no id"),
        pytest.param({"object_path": "/jobs/1"}, id="another path"),
        pytest.param({"object_type": "jobs"}, id="another type of object"),
        pytest.param({"type": "account_permission"}, id="another type"),
        pytest.param({"actions": ["query_inference_endpoint", "delete"]}, id="more actions"),
        pytest.param({"actions": []}, id="no action"),
    ],
)
def test_what_nobody_may_do_is_not_authorized(platform: Platform, details: str, change: dict[str, object]) -> None:
    """The wording is the platform's."""
    asked = json.dumps([{**json.loads(details)[0], **change}])

    answer = platform.grant(grant_type="client_credentials", scope="all-apis", authorization_details=asked)

    assert (answer.status_code, answer.json()) == (400, NOT_AUTHORIZED)


@pytest.mark.parametrize("asked", ["{", "{}", "[]", "[1]", '[{"type": "workspace_permission"}]', "null"])
def test_details_that_say_nothing_are_refused(platform: Platform, asked: str) -> None:
    """An empty list must not become a token for everything."""
    answer = platform.grant(grant_type="client_credentials", scope="all-apis", authorization_details=asked)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")


def test_ordinary_endpoints_have_no_tokens_of_their_own(platform: Platform, details: str) -> None:
    """Only a route-optimized endpoint is reached with authorization_details."""
    headers = {"Authorization": f"Bearer {platform.personal_token}"}
    made = httpx.post(f"{platform.host}/api/2.0/serving-endpoints", json={"name": "ordinary"}, headers=headers, trust_env=False).json()
    asked = json.dumps([{**json.loads(details)[0], "object_path": f"/serving-endpoints/{made['id']}"}])

    assert platform.grant(grant_type="client_credentials", authorization_details=asked).json() == NOT_AUTHORIZED


def test_ended_tokens_are_refused(slow_platform: Platform) -> None:
    """After its hour a token is nobody's."""
    with pytest.raises(Unauthenticated):
        slow_platform.principal().current_user.me()
    assert slow_platform.personal().current_user.me().user_name == "developer@harness.local"


@pytest.mark.parametrize("cut", ["header", "payload", "signature", "none"])
def test_forged_tokens_are_refused(platform: Platform, cut: str) -> None:
    """One changed part, or an algorithm of the forger's choice."""
    header, payload, signature = all_apis(platform).split(".")
    forged = {
        "header": f"{header[:-1]}X.{payload}.{signature}",
        "payload": f"{header}.{payload[:-1]}X.{signature}",
        "signature": f"{header}.{payload}.{signature[:-2]}XX",
        "none": f"eyJhbGciOiJub25lIn0.{payload}.",  # {"alg":"none"}
    }[cut]

    assert platform.get("/api/2.0/preview/scim/v2/Me", forged).status_code == 401
