"""HTTP of identity: OAuth's discovery document and its token endpoint. What comes before, `databricks-config`, is the workspace's."""

from harness.http import AnyRoute, Call, Reply, Route
from harness.identity import model
from harness.identity.model import OAuthError
from harness.identity.service import IdentityService

_M2M = "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m"


def routes(service: IdentityService, host: str) -> list[AnyRoute]:
    """Return the routes that `service` answers at `host`."""

    def authorization_server(_: Call) -> object:
        return {
            "issuer": f"{host}/oidc",
            "authorization_endpoint": f"{host}/oidc/v1/authorize",  # clients insist on one; there is no browser login here: it is a 501
            "token_endpoint": f"{host}/oidc/v1/token",
            "response_types_supported": ["code"],
            "grant_types_supported": [model.CLIENT_CREDENTIALS, model.JWT_BEARER],
            "scopes_supported": [model.ALL_APIS],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def token(call: Call) -> Reply:
        headers = {"cache-control": "no-store"}  # RFC 6749, section 5.1
        try:
            return Reply(service.grant(model.token_request(call.headers, call.body)), headers=headers)
        except OAuthError as error:
            if error.status == 401:
                headers["www-authenticate"] = 'Basic realm="oidc"'
            return Reply({"error": error.error, "error_description": error.description}, error.status, headers)

    return [
        Route("GET", "/oidc/.well-known/oauth-authorization-server", authorization_server, _M2M, public=True),
        Route("POST", "/oidc/v1/token", token, _M2M, public=True),
    ]
