"""Queries by the official client, unmodified, to a server of the test's own that answers as the platform does."""

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, TemporarilyUnavailable, TooManyRequests, Unauthenticated
from databricks.sdk.errors.base import DatabricksError

from serving_client import Retry, ServingError, address, query, score

OK = {"predictions": [1]}
DATE, IN_SEVEN = "Tue, 24 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:07 GMT"


@dataclass
class Answer:
    """What the server says once."""

    status: int = 200
    body: object = field(default_factory=lambda: OK)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """Endpoint `ep` behind a workspace; gives these answers in turn, and keeps what it was sent."""

    host: str = ""
    answers: list[Answer] = field(default_factory=list)
    route_optimized: bool = False
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    lookups: int = 0

    def look(self, path: str) -> object:
        if path == "/.well-known/databricks-config":
            return {"oidc_endpoint": f"{self.host}/oidc", "workspace_id": "1"}
        if path == "/oidc/.well-known/oauth-authorization-server":
            return {"authorization_endpoint": f"{self.host}/oidc/v1/authorize", "token_endpoint": f"{self.host}/oidc/v1/token"}
        self.lookups += 1
        info = {"query_info": {"authorization_details": "[]", "endpoint_url": f"{self.host}/fast/ep"}}
        return {"name": "ep", "route_optimized": self.route_optimized, **({"data_plane_info": info} if self.route_optimized else {})}

    @property
    def workspace(self) -> WorkspaceClient:
        return WorkspaceClient(host=self.host, token="secret", auth_type="pat")

    @property
    def principal(self) -> WorkspaceClient:
        return WorkspaceClient(host=self.host, client_id="me", client_secret="secret", auth_type="oauth-m2m")

    def retry(self, **changes: Any) -> Retry:
        """A retry whose time passes only when it sleeps."""
        return Retry(**{"sleep": self.slept.append, "jitter": lambda: 0.5, "now": lambda: sum(self.slept), **changes})


class Handler(http.server.BaseHTTPRequestHandler):
    """Speaks HTTP for a `Server`."""

    protocol_version = "HTTP/1.1"
    state: Server

    def do_GET(self) -> None:
        self._send(200, self.state.look(self.path), {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/oidc/v1/token":
            kind = "endpoint" if b"jwt-bearer" in body else "workspace"
            self._send(200, {"access_token": f"{kind}-token", "token_type": "Bearer", "expires_in": 3600}, {})
            return
        self.state.asked.append((self.path, json.loads(body)))
        self.state.authorizations.append(self.headers["authorization"])
        answer = self.state.answers.pop(0) if self.state.answers else Answer()
        self._send(answer.status, answer.body, answer.headers)

    def _send(self, status: int, body: object, headers: Mapping[str, str]) -> None:
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        for name, value in {"Date": DATE, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    state = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"state": state})) as running:
        state.host = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield state
        running.shutdown()


def failing(status: int, **headers: str) -> Answer:
    """An error as the platform words it."""
    return Answer(
        status, {"error_code": "SOME_CODE", "message": "not now"}, {name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_f15_passing_failure_is_waited_for(server: Server, status: int) -> None:
    """Throttling, a cold start, a time-out, a fault of the platform: sent again, after waits that double."""
    server.answers = [failing(status), failing(status), failing(status), Answer()]
    assert query(server.workspace, "ep", body={}, retry=server.retry()) == OK
    assert server.slept == pytest.approx([1.5, 1.5, 3.0] if status in (429, 503) else [0.75, 1.5, 3.0])


def test_f15_page_of_a_proxy_is_a_passing_failure(server: Server) -> None:
    """An answer that is no JSON at all does not stop the retries."""
    server.answers = [Answer(502, b"<html>Bad Gateway</html>"), Answer(503, b""), Answer()]
    assert query(server.workspace, "ep", body={}, retry=server.retry()) == OK


def test_f15_broken_connection_is_a_passing_failure(server: Server) -> None:
    """A connection that ends without an answer is made again."""
    server.answers = [Answer(0), Answer()]
    assert query(server.workspace, "ep", body={}, retry=server.retry()) == OK
    assert len(server.slept) == 1


@pytest.mark.parametrize("asked", [pytest.param("7", id="seconds"), pytest.param(IN_SEVEN, id="HTTP date")])
def test_f15_retry_after_is_obeyed(server: Server, asked: str) -> None:
    """The wait is never shorter than the endpoint asks, in either form of the header."""
    server.answers = [failing(429, Retry_After=asked), Answer()]
    query(server.workspace, "ep", body={}, retry=server.retry())
    assert server.slept == [7.5]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadRequest), (401, Unauthenticated), (403, PermissionDenied), (404, NotFound)],
    ids=["400", "401", "403", "404"],
)
def test_f15_refusal_is_final(server: Server, status: int, error: type[DatabricksError]) -> None:
    """What asking again cannot change is sent once and raised as what it is."""
    server.answers = [failing(status)]
    with pytest.raises(error, match="not now"):
        query(server.workspace, "ep", body={}, retry=server.retry())
    assert (len(server.asked), server.slept) == (1, [])


def test_f15_attempts_are_bounded(server: Server) -> None:
    """After the last attempt the endpoint's own error is raised, and says how long was tried."""
    server.answers = [failing(503)] * 9
    with pytest.raises(TemporarilyUnavailable, match="not now") as raised:
        query(server.workspace, "ep", body={}, retry=server.retry(attempts=4))
    assert len(server.asked) == 4
    assert "gave up after 4 sends" in raised.value.__notes__[0]


def test_f15_time_is_bounded(server: Server) -> None:
    """No wait is begun that ends after the budget: an endpoint that asks for an hour gets its error at once."""
    server.answers = [failing(429), failing(429, Retry_After="3600"), Answer()]
    with pytest.raises(TooManyRequests):
        query(server.workspace, "ep", body={}, retry=server.retry(budget=60))
    assert len(server.asked) == 2


def test_f15_default_outlasts_a_cold_start(server: Server) -> None:
    """An endpoint that was scaled to zero may answer 503 for minutes."""
    server.answers = [failing(503)] * 12
    assert query(server.workspace, "ep", body={}, retry=server.retry()) == OK
    assert 180 < sum(server.slept) <= 300


def test_f15_resends_carry_one_client_request_id(server: Server) -> None:
    """The id is made once for a query: what the log holds twice can be told; another query has another id."""
    server.answers = [failing(503), failing(503), Answer(), Answer()]
    query(server.workspace, "ep", body={"inputs": [1]}, retry=server.retry())
    query(server.workspace, "ep", body={"inputs": [1]})
    ids = [body["client_request_id"] for _path, body in server.asked]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    assert all(len(one) == 36 for one in ids)


@pytest.mark.parametrize(
    ("body", "given_id", "sent"),
    [
        pytest.param({}, "order-7", "order-7", id="argument"),
        pytest.param({"client_request_id": "order-8"}, None, "order-8", id="in the body"),
        pytest.param({"client_request_id": "order-8"}, "order-7", "order-7", id="both"),
    ],
)
def test_client_request_id_may_be_the_callers(server: Server, body: dict[str, Any], given_id: str | None, sent: str) -> None:
    """A caller's id is kept, and its body is not changed."""
    kept = dict(body)
    query(server.workspace, "ep", body=body, client_request_id=given_id)
    assert server.asked[0][1]["client_request_id"] == sent
    assert body == kept


def test_served_entity_has_its_own_path(server: Server) -> None:
    """One entity is asked on its own path, whatever the traffic split says."""
    query(server.workspace, "ep", body={})
    query(server.workspace, "ep", body={}, served_entity="m-2")
    assert [path for path, _body in server.asked] == [
        "/serving-endpoints/ep/invocations",
        "/serving-endpoints/ep/served-models/m-2/invocations",
    ]
    assert set(server.authorizations) == {"Bearer secret"}


def test_f03_route_optimized_endpoint_is_asked_on_its_data_plane(server: Server) -> None:
    """Its own URL, with a token exchanged for this endpoint; the workspace's URL is not tried."""
    server.route_optimized = True
    assert query(server.principal, "ep", body={"params": {"a": 1}, "inputs": [1]}, client_request_id="7") == OK
    assert server.asked == [("/fast/ep", {"params": {"a": 1}, "inputs": [1], "client_request_id": "7"})]
    assert server.authorizations == ["Bearer endpoint-token"]


def test_f03_route_optimized_endpoint_needs_oauth(server: Server) -> None:
    """A personal access token is refused here, with what to do instead; nothing is sent."""
    server.route_optimized = True
    with pytest.raises(ServingError, match=r"takes OAuth tokens only, but this client uses pat; authenticate as a service principal"):
        query(server.workspace, "ep", body={})
    assert server.asked == []


def test_f03_data_plane_cannot_ask_one_entity(server: Server) -> None:
    """There is no such URL; asking the endpoint instead would be an answer of another version."""
    server.route_optimized = True
    with pytest.raises(ServingError, match="cannot ask m-2 alone"):
        query(server.principal, "ep", body={}, served_entity="m-2")
    assert server.asked == []


def test_address_spares_the_look_up(server: Server) -> None:
    """Who keeps the address looks once."""
    where = address(server.workspace, "ep")
    for _ in range(3):
        query(server.workspace, "ep", body={}, at=where)
    score(server.workspace, "ep", records=[{}] * 3, chunk_rows=1)
    assert server.lookups == 2


def test_not_a_number_cannot_be_sent(server: Server) -> None:
    """JSON has no NaN: the message says what to send."""
    with pytest.raises(ServingError, match="endpoint ep: the request holds NaN or an infinity, which JSON has not; send null instead"):
        query(server.workspace, "ep", body={"inputs": [float("nan")]})


def test_answer_that_is_no_object_is_an_error(server: Server) -> None:
    """A list is no scoring answer."""
    server.answers = [Answer(body=[1])]
    with pytest.raises(ServingError, match="expected a JSON object as answer, got list"):
        query(server.workspace, "ep", body={})


def test_scores_keep_the_order_of_the_records(server: Server) -> None:
    """Each record gets its own prediction, however the records are cut into requests."""
    server.answers = [Answer(body={"predictions": part}) for part in ([0, 1, 2], [3, 4, 5], [6])]
    assert score(server.workspace, "ep", records=[{"x": value} for value in range(7)], chunk_rows=3) == list(range(7))
    sent = [record["x"] for _path, body in server.asked for record in body["dataframe_records"]]
    assert sent == list(range(7))


def test_too_few_predictions_are_an_error(server: Server) -> None:
    """Predictions are never put beside the wrong record."""
    with pytest.raises(ServingError, match="expected 2 predictions, got 1"):
        score(server.workspace, "ep", records=[{}, {}])


def test_chunks_have_rows(server: Server) -> None:
    """A chunk of nothing would never end."""
    with pytest.raises(ValueError, match="chunk_rows: expected at least 1, got 0"):
        score(server.workspace, "ep", records=[{}], chunk_rows=0)
