"""One Spark engine for all tests in this folder, and an HTTP server standing in for the harness's serving routes."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.config import Layout
from harness.engines.processes import Lifeline
from harness.engines.spark import SparkEngine

TOKEN = "engine-test-token"


def openapi(items: dict[str, object]) -> dict[str, object]:
    """Return the document of an endpoint with inputs a and b whose predictions are `items`."""
    columns = {"a": {"type": "number", "format": "double"}, "b": {"type": "number", "format": "double"}}
    request = {"oneOf": [{"properties": {"dataframe_records": {"type": "array", "items": {"type": "object", "properties": columns}}}}]}
    answer = {"type": "object", "properties": {"predictions": {"type": "array", "items": items}}}
    operation = {
        "requestBody": {"content": {"application/json": {"schema": request}}},
        "responses": {"200": {"content": {"application/json": {"schema": answer}}}},
    }
    return {"openapi": "3.1.0", "paths": {"/served-models/m-1/invocations": {"post": operation}}}


@dataclass
class FakeServing:
    """The endpoints `sum` (adds its columns; refuses a row with a negative one), `untyped`, and `busy` (429 twice before each answer)."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, path: str) -> tuple[int, object]:
        """Answer a GET."""
        name = path.removeprefix("/api/2.0/serving-endpoints/").removesuffix("/openapi")
        if name not in {"sum", "untyped", "busy"}:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"Endpoint with name '{name}' does not exist."}
        if path.endswith("/openapi"):
            return 200, openapi({"type": "object", "format": "unknown"} if name == "untyped" else {"type": "number", "format": "double"})
        return 200, {"name": name}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, object]:
        """Answer an invocation."""
        rows = body["dataframe_split"]["data"]
        with self.lock:
            self.requests.append(body["dataframe_split"])
            if path.startswith("/serving-endpoints/busy/") and self.refusals < 2:
                self.refusals += 1
                return 429, {"error_code": "REQUEST_LIMIT_EXCEEDED"}
        bad = [row for row in rows if any(isinstance(value, int | float) and value < 0 for value in row)]
        if bad:
            return 400, {"error_code": "BAD_REQUEST", "message": f"negative: {bad[0]}"}
        return 200, {"predictions": [float(sum(value for value in row if isinstance(value, int | float))) for row in rows]}


@pytest.fixture(scope="session")
def serving() -> Iterator[FakeServing]:
    """A running stand-in."""
    fake = FakeServing()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else every answer waits 40 ms

        def do_GET(self) -> None:
            self._reply(*fake.get(self.path))

        def do_POST(self) -> None:
            self._reply(*fake.post(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _reply(self, status: int, content: object) -> None:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                status, content = 401, {"error_code": "UNAUTHENTICATED"}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield fake
    server.shutdown()
    server.server_close()


@dataclass
class Workbench:
    """The shared engine; `restart()` gives it a new process on the same folders."""

    layout: Layout
    lifeline: Lifeline
    serving: FakeServing
    engine: SparkEngine

    def make(self) -> SparkEngine:
        """Return an engine on these folders that is not started."""
        return SparkEngine(layout=self.layout, lifeline=self.lifeline, harness_url=self.serving.url, token=TOKEN, catalogs=("main",))

    def restart(self) -> None:
        """End the engine and start another."""
        self.engine.close()
        self.engine = self.make()
        self.engine.start(lambda _: None)

    def session(self) -> Any:
        """Return a new Spark Connect session."""
        from pyspark.sql import SparkSession

        return SparkSession.builder.remote(self.engine.remote).create()


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory, serving: FakeServing) -> Iterator[Workbench]:
    """A started engine with its folders."""
    layout = Layout(tmp_path_factory.mktemp("engine") / "state").make()
    lifeline = Lifeline()
    engine = SparkEngine(layout=layout, lifeline=lifeline, harness_url=serving.url, token=TOKEN, catalogs=("main",))
    engine.start(lambda _: None)
    bench = Workbench(layout, lifeline, serving, engine)
    yield bench
    bench.engine.close()
    lifeline.close()


@pytest.fixture
def sql(workbench: Workbench, request: pytest.FixtureRequest) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Run SQL in a new session and return tuples; `{s}` is a schema of this test's own."""
    session = workbench.session()
    schema = f"main.{request.node.name.split('[')[0]}"

    def run(statement: str, **arguments: object) -> list[tuple[object, ...]]:
        return [tuple(row) for row in session.sql(statement.replace("{s}", schema), **arguments).collect()]

    run("CREATE SCHEMA IF NOT EXISTS {s}")
    yield run
    session.stop()


@pytest.fixture
def warehouse(workbench: Workbench) -> Path:
    """The folder of all tables."""
    return workbench.layout.warehouse
