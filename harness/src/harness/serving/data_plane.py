"""HTTP of calls to served models: the platform's three URLs, each on the short way (`http/direct.py`) and as an ordinary route."""

import asyncio
import re
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from harness.config import WORKSPACE_ID
from harness.errors import ApiError
from harness.http import AnyRoute, Authenticator, Identity, RawRoute, caller, error_response, unauthenticated
from harness.http.direct import Plan, Send
from harness.serving.invocations import Call, Invocation, Invocations, Outcome

DOC = "https://docs.databricks.com/aws/en/machine-learning/model-serving/score-custom-model-endpoints"
DATA_PLANE_DOC = "https://docs.databricks.com/aws/en/machine-learning/model-serving/query-route-optimization"
MAX_BODY_BYTES = 16 << 20  # docs, model-serving-limits: payload size
BODY_SECONDS = 600.0
# Assumption: the documentation names the body's `client_request_id` only; a header of this name is what a proxy could add.
CLIENT_REQUEST_ID = "x-databricks-client-request-id"
_TARGET = re.compile(rb"(?:/(\d+))?/serving-endpoints/([A-Za-z0-9_-]+)/(?:served-models/([A-Za-z0-9_-]+)/)?invocations")


def routes(invocations: Invocations) -> list[AnyRoute]:
    """Return the routes of calls to served models."""

    async def at_workspace(request: Request) -> Response:
        return await _invoke(invocations, request)

    async def at_data_plane(request: Request) -> Response:
        if str(request.path_params["workspace_id"]) != WORKSPACE_ID:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Workspace '{request.path_params['workspace_id']}' does not exist.")
        return await _invoke(invocations, request, data_plane=True)

    return [
        RawRoute(("POST",), "/serving-endpoints/{name}/invocations", at_workspace, DOC, closed=True),
        RawRoute(("POST",), "/serving-endpoints/{name}/served-models/{served}/invocations", at_workspace, DOC, closed=True),
        RawRoute(
            ("POST",),
            "/{workspace_id:int}/serving-endpoints/{name}/invocations",
            at_data_plane,
            DATA_PLANE_DOC,
            restricted=True,
            closed=True,
        ),
    ]


class DirectInvocations:
    """The same URLs on the short way."""

    def __init__(self, invocations: Invocations, callers: Authenticator) -> None:
        self._invocations = invocations
        self._callers = callers

    def plan(self, method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> Plan | None:
        """Return what answers calls with this head; None for whatever is not a well-formed, permitted call."""
        found = _TARGET.fullmatch(target)
        length = headers.get(b"content-length", b"")
        if method != b"POST" or found is None or not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return None
        identity = self._callers.authenticate(headers.get(b"authorization", b"").decode("latin-1"))
        workspace_id, name, served = found.groups()
        restricted = identity is not None and identity.endpoint_id is not None
        if identity is None or (restricted and workspace_id is None) or workspace_id not in (None, WORKSPACE_ID.encode()):
            return None
        if identity.isolated:  # its token may end any moment, and heads are remembered
            return None
        if workspace_id is not None and served is not None:  # no such URL
            return None
        return _DirectCall(
            self._invocations,
            name=name.decode(),
            served_name=None if served is None else served.decode(),
            content_type=_text(headers.get(b"content-type")),
            client_request_id=_text(headers.get(CLIENT_REQUEST_ID.encode())),
            identity=identity,
            data_plane=workspace_id is not None,
        )


class _DirectCall:
    """Answers calls that share one head."""

    def __init__(
        self,
        invocations: Invocations,
        *,
        name: str,
        served_name: str | None,
        content_type: str | None,
        client_request_id: str | None,
        identity: Identity,
        data_plane: bool,
    ) -> None:
        self._invocations = invocations
        self._name = name
        self._served_name = served_name
        self._content_type = content_type
        self._client_request_id = client_request_id
        self._identity = identity
        self._data_plane = data_plane

    def begin(self, body: bytes, send: Send) -> None:
        """Answer one call with this body."""
        if self._identity.expires <= time.time():
            send(_answer(unauthenticated()))
            return
        self._invocations.begin(
            Call(
                name=self._name,
                served_name=self._served_name,
                content_type=self._content_type,
                body=body,
                identity=self._identity,
                client_request_id=self._client_request_id,
                data_plane=self._data_plane,
                reply=lambda outcome: send(_answer(outcome)),
            )
        )


async def _invoke(invocations: Invocations, request: Request, *, data_plane: bool = False) -> Response:
    params = request.path_params
    body = await _body(request)
    outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    invocations.begin(
        Call(
            name=params["name"],
            served_name=params.get("served"),
            content_type=request.headers.get("content-type"),
            body=body,
            identity=caller(request),
            client_request_id=request.headers.get(CLIENT_REQUEST_ID),
            data_plane=data_plane,
            reply=lambda found: None if outcome.cancelled() else outcome.set_result(found),
        )
    )
    answer = await outcome
    if isinstance(answer, ApiError):
        return error_response(answer)
    return Response(answer.body, answer.status, _headers(answer))


def _headers(answer: Invocation) -> dict[str, str]:
    return {
        "content-type": answer.content_type,
        "x-databricks-request-id": answer.request_id,
        "x-databricks-org-id": WORKSPACE_ID,
        "served-model-name": answer.served_entity,
    }


def _answer(outcome: Outcome) -> bytes:
    if isinstance(outcome, ApiError):
        response = error_response(outcome)
        headers = b"".join(b"%s: %s\r\n" % header for header in response.raw_headers)
        return _status_line(response.status_code) + headers + b"\r\n" + bytes(response.body)
    head = (
        f"content-type: {outcome.content_type}\r\ncontent-length: {len(outcome.body)}\r\n"
        f"x-databricks-request-id: {outcome.request_id}\r\nx-databricks-org-id: {WORKSPACE_ID}\r\n"
        f"served-model-name: {outcome.served_entity}\r\n\r\n"
    )
    return _status_line(outcome.status) + head.encode("latin-1") + outcome.body


def _status_line(status: int) -> bytes:
    line = _STATUS_LINES.get(status)
    return line if line is not None else b"HTTP/1.1 %d \r\n" % status


_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    # Assumption: status and wording are not documented, the limit is. Refused before the model, so not logged.
                    message = f"The request is larger than {MAX_BODY_BYTES} bytes; send fewer rows a request."
                    raise ApiError(413, "REQUEST_ENTITY_TOO_LARGE", message)
    except TimeoutError as error:
        raise ApiError(408, "REQUEST_TIMEOUT", "The request did not arrive in time.") from error
    return bytes(body)
