import email.utils
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from databricks.sdk.data_plane import DataPlaneTokenSource
from databricks.sdk.errors import TemporarilyUnavailable
from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.oauth import Token
from databricks.sdk.service.serving import ServingEndpointDetailed

from serving_client.errors import ServingError

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


@dataclass(frozen=True, slots=True)
class Address:
    """Where an endpoint is called and what a call must carry; keep it to spare the look-up before each `query`.

    `data_plane` is the URL of a route-optimized endpoint, None for any other.
    """

    endpoint: str
    data_plane: str | None
    headers: Callable[[], Mapping[str, str]] = field(repr=False)

    def path(self, served_entity: str | None) -> str:
        """Return the path on the workspace's host."""
        entity = "" if served_entity is None else f"/served-models/{quote(served_entity, safe='')}"
        return f"/serving-endpoints/{quote(self.endpoint, safe='')}{entity}/invocations"

    def post(self, workspace: "WorkspaceClient", body: Mapping[str, Any], *, served_entity: str | None = None) -> object:
        """Return the JSON answer to `body`, sent once; errors are the SDK's, `retry_after_secs` also where a date was sent."""
        if self.data_plane is not None and served_entity is not None:
            raise ServingError(f"endpoint {self.endpoint} is route-optimized: its data plane cannot ask {served_entity} alone")
        reply: list[requests.Response] = []

        def authenticate(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(self.headers())
            request.register_hook("response", lambda response, **_: reply.append(response))
            return request

        try:
            # A bytearray is what the SDK sends without retries of its own, which would know neither budget nor jitter.
            return workspace.api_client.do(
                "POST",
                path=self.path(served_entity),
                url=self.data_plane,
                data=bytearray(_encoded(self.endpoint, body)),
                headers={"Accept": "application/json", "Content-Type": "application/json"},
                auth=authenticate,
            )
        except DatabricksError as error:
            if not reply:
                raise
            if reply[-1].status_code == requests.codes.bad_gateway:  # the SDK has no type for it
                raise TemporarilyUnavailable(str(error)) from error
            error.retry_after_secs = retry_after(reply[-1].headers) or error.retry_after_secs
            raise


def address(workspace: "WorkspaceClient", endpoint: str) -> Address:
    """Return how to call `endpoint`: on the workspace's URL, or on its own with OAuth when it is route-optimized.

    Raises:
        NotFound: there is no such endpoint; no other error means that.
        ServingError: it is route-optimized and the client has no OAuth.
    """
    found = workspace.serving_endpoints.get(endpoint)
    if not found.route_optimized:
        return Address(endpoint, None, workspace.config.authenticate)
    return _data_plane(workspace, found)


def retry_after(headers: Mapping[str, str]) -> int | None:
    """Return the seconds that a `Retry-After` header asks for, given as seconds or as an HTTP date; None without one.

    A date is read against the answer's own `Date`, so that clocks that differ do not matter.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isdigit():
        return int(asked)
    until = _moment(asked)
    if until is None:
        return None
    since = _moment(headers.get("Date", "")) or datetime.now(UTC)
    return max(0, round((until - since).total_seconds()))


def _data_plane(workspace: "WorkspaceClient", found: ServingEndpointDetailed) -> Address:
    info = found.data_plane_info.query_info if found.data_plane_info else None
    if info is None or not info.endpoint_url:
        raise ServingError(f"endpoint {found.name} is route-optimized but shows no data-plane URL yet; try again when it is ready")
    url, details = info.endpoint_url, info.authorization_details
    try:
        workspace.config.oauth_token()
    except ValueError as error:  # the SDK's answer of every way to authenticate that has no OAuth
        raise ServingError(
            f"endpoint {found.name} is route-optimized and takes OAuth tokens only, but this client uses {workspace.config.auth_type}; "
            "authenticate as a service principal (DATABRICKS_CLIENT_ID, DATABRICKS_CLIENT_SECRET) or by another OAuth way"
        ) from error
    tokens = DataPlaneTokenSource(workspace.config.host, workspace.config.oauth_token)

    def headers() -> dict[str, str]:
        token: Token = tokens.token(url, details)  # type: ignore[no-untyped-call] # the SDK says no types here
        return {"Authorization": f"{token.token_type} {token.access_token}"}

    return Address(str(found.name), url, headers)


def _encoded(endpoint: str, body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError as error:
        raise ServingError(f"endpoint {endpoint}: the request holds NaN or an infinity, which JSON has not; send null instead") from error


def _moment(text: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
