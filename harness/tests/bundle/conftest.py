"""A workspace to deploy to: real workspace objects and Unity Catalog, with jobs and experiments that only remember."""

import datetime as dt
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.service.workspace import ObjectType
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.bundle import Deployment, deploy, read_bundle
from harness.bundle.model import Bundle, Choice, Identity, Source
from harness.bundle.resolver import resolve
from harness.clock import FakeClock, SystemClock
from harness.config import USER_NAME, Layout
from harness.errors import ApiError
from harness.http import AnyRoute, Call, OneToken, Route, application
from harness.ids import SeededIds
from harness.state import Store
from harness.unity.routes import routes as unity_routes
from harness.unity.service import UnityService
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes as workspace_routes
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_routes import routes as secrets_routes
from harness.workspace.service import WorkspaceService

TOKEN = "secret-token"
ANN = Identity("Ann.Lee@example.com", "http://127.0.0.1:1")

Json = dict[str, object]
Resolve = Callable[..., Bundle]


@pytest.fixture
def resolved() -> Resolve:
    """Return a function that resolves the text of a `databricks.yml` (and other files by name) for Ann."""

    def make(
        text: str, *, target: str | None = None, host: str = ANN.host, files: dict[str, str] | None = None, **given: dict[str, str]
    ) -> Bundle:
        sources = [Source("databricks.yml", text), *(Source(name, other) for name, other in (files or {}).items())]
        choice = Choice(target, given.get("variables", {}), given.get("environment", {}))
        return resolve(sources, choice=choice, identity=Identity(ANN.user_name, host))

    return make


@dataclass
class FakeJobs:
    """Remembers jobs and experiments, and plays a run as the test says.

    `runs` are successive answers, `inner` those of runs that its tasks begin, by id; `printed` is by task.
    """

    jobs: dict[int, Json] = field(default_factory=dict)
    experiments: dict[str, Json] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    started: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    inner: dict[int, list[Json]] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    outputs: dict[int, Json] = field(default_factory=dict)
    refuse: bool = False
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(100))

    def routes(self) -> list[AnyRoute]:
        """Return what answers for them."""
        jobs, experiments = "/api/2.2/jobs", "/api/2.0/mlflow/experiments"
        return [
            Route("POST", f"{jobs}/create", self._create, ""),
            Route("POST", f"{jobs}/reset", self._reset, ""),
            Route("POST", f"{jobs}/delete", self._delete, ""),
            Route("GET", f"{jobs}/get", self._get, ""),
            Route("GET", f"{jobs}/list", self._list, ""),
            Route("POST", f"{jobs}/run-now", self._run_now, ""),
            Route("GET", f"{jobs}/runs/get", self._run, ""),
            Route("GET", f"{jobs}/runs/get-output", self._run_output, ""),
            Route("POST", f"{experiments}/create", self._create_experiment, ""),
            Route("GET", f"{experiments}/get", self._get_experiment, ""),
            Route("GET", f"{experiments}/get-by-name", self._find_experiment, ""),
            Route("POST", f"{experiments}/update", self._update_experiment, ""),
            Route("POST", f"{experiments}/set-experiment-tag", self._tag_experiment, ""),
            Route("POST", f"{experiments}/delete", self._delete_experiment, ""),
            Route("POST", f"{experiments}/restore", self._restore_experiment, ""),
            Route("GET", "/__harness__/runs/{run_id}/output", self._printed, ""),
            Route("GET", "/__harness__/health", lambda _: {}, "", public=True),
        ]

    def _create(self, call: Call) -> object:
        self.writes.append("create")
        if self.refuse:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "the schedule is wrong")
        job_id = next(self.numbers)
        self.jobs[job_id] = call.json(dict[str, object])
        return {"job_id": job_id}

    def _reset(self, call: Call) -> object:
        self.writes.append("reset")
        asked = call.json(dict[str, object])
        settings = asked["new_settings"]
        assert isinstance(settings, dict)
        self.jobs[int(str(asked["job_id"]))] = settings
        return {}

    def _delete(self, call: Call) -> object:
        self.writes.append("delete")
        job_id = int(str(call.json(dict[str, object])["job_id"]))
        if self.jobs.pop(job_id, None) is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        return {}

    def _get(self, call: Call) -> object:
        job_id = int(call.require("job_id"))
        if job_id not in self.jobs:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Job {job_id} does not exist.")
        return {"job_id": job_id, "settings": self.jobs[job_id]}

    def _list(self, call: Call) -> object:
        found = [{"job_id": key, "settings": job} for key, job in self.jobs.items() if job["name"] == call.require("name")]
        return {"jobs": found} if found else {}

    def _run_now(self, call: Call) -> object:
        self.started.append(call.json(dict[str, object]))
        return {"run_id": 7, "number_in_job": 7}

    def _run(self, call: Call) -> object:
        runs = self.inner.get(int(call.require("run_id")), self.runs)
        return runs.pop(0) if len(runs) > 1 else runs[0]

    def _run_output(self, call: Call) -> object:
        return self.outputs[int(call.require("run_id"))]

    def _printed(self, call: Call) -> object:
        offset = int(call.require("offset"))
        text = self.printed.get(call.require("task_key"), "")
        return {"text": text[offset : offset + 10], "offset": min(len(text), offset + 10), "attempt_number": 0}

    def _create_experiment(self, call: Call) -> object:
        asked = call.json(dict[str, object])
        name = str(asked["name"])
        if any(each["name"] == name for each in self.experiments.values()):
            raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Experiment '{name}' already exists.")
        id_ = str(next(self.numbers))
        self.experiments[id_] = {**asked, "experiment_id": id_, "name": name, "lifecycle_stage": "active"}
        return {"experiment_id": id_}

    def _get_experiment(self, call: Call) -> object:
        return {"experiment": self._experiment(call.require("experiment_id"))}

    def _find_experiment(self, call: Call) -> object:
        name = call.require("experiment_name")
        return {"experiment": self._experiment(next((id_ for id_, each in self.experiments.items() if each["name"] == name), name))}

    def _experiment(self, id_: str) -> Json:
        if id_ not in self.experiments:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"No Experiment {id_} exists")
        return self.experiments[id_]

    def _update_experiment(self, call: Call) -> object:
        asked = call.json(dict[str, object])
        self._experiment(str(asked["experiment_id"]))["name"] = asked["new_name"]
        return {}

    def _tag_experiment(self, call: Call) -> object:
        asked = call.json(dict[str, str])
        found = self._experiment(asked["experiment_id"])
        tags = {tag["key"]: tag for tag in found.get("tags", [])}  # type: ignore[attr-defined]
        found["tags"] = [*{**tags, asked["key"]: {"key": asked["key"], "value": asked["value"]}}.values()]
        return {}

    def _delete_experiment(self, call: Call) -> object:
        self.experiments[str(call.json(dict[str, object])["experiment_id"])]["lifecycle_stage"] = "deleted"
        return {}

    def _restore_experiment(self, call: Call) -> object:
        self.experiments[str(call.json(dict[str, object])["experiment_id"])]["lifecycle_stage"] = "active"
        return {}


class Faults:
    """Counts the calls that write, and lets one of them fail: before anything was done, or after all of it was."""

    def __init__(self, answered: ASGIApp) -> None:
        self._answered = answered
        self._lock = threading.Lock()
        self.writes: list[str] = []
        self.fail_at: int | None = None
        self.after = False

    def arm(self, number: int | None, *, after: bool = False) -> None:
        """Let the write of this number, from now on, fail."""
        self.writes.clear()
        self.fail_at, self.after = number, after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._answered(scope, receive, send)
            return
        with self._lock:
            self.writes.append(f"{scope['method']} {scope['path']}")
            fails = len(self.writes) - 1 == self.fail_at
        if fails and self.after:
            await self._answered(scope, receive, _unheard)
        if fails:
            refused = JSONResponse({"error_code": "INTERNAL_ERROR", "message": "injected"}, status_code=500)
            await refused(scope, receive, send)
            return
        await self._answered(scope, receive, send)


async def _unheard(_: Message) -> None:
    """Take an answer that is lost on its way."""


@dataclass(frozen=True)
class Served:
    """Where a workspace answers, and what is behind it."""

    host: str
    jobs: FakeJobs
    objects: WorkspaceService
    unity: UnityService
    permissions: PermissionsService
    secrets: SecretsService
    faults: Faults

    @property
    def client(self) -> WorkspaceClient:
        """The official client."""
        return WorkspaceClient(config=Config(host=self.host, token=TOKEN, auth_type="pat", retry_timeout_seconds=1))


class Front:
    """Where all workspaces answer, one after the other: to start and end a server for each would take longer than most tests."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.behind: ASGIApp = JSONResponse({"message": "no workspace is served"}, status_code=503)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""
        await self.behind(scope, receive, send)


@pytest.fixture(scope="session")
def front() -> Iterator[Front]:
    """Listen on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = Front(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(made, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield made
    server.should_exit = True
    thread.join()


@pytest.fixture
def served(tmp_path: Path, front: Front) -> Iterator[Served]:
    """Serve an empty workspace."""
    yield from _serve(front, tmp_path / "state", without=())


@pytest.fixture
def served_without_permissions(tmp_path: Path, front: Front) -> Iterator[Served]:
    """Serve an empty workspace that knows no permissions."""
    yield from _serve(front, tmp_path / "state", without=("/api/2.0/permissions",))


@pytest.fixture
def serving(tmp_path: Path, front: Front) -> Callable[[], AbstractContextManager[Served]]:
    """Return how one more empty workspace is served, instead of the one before."""
    numbers = itertools.count()
    return lambda: contextmanager(_serve)(front, tmp_path / f"state{next(numbers)}", without=())


def _serve(front: Front, state: Path, *, without: tuple[str, ...]) -> Iterator[Served]:
    layout = Layout(state).make()
    store, clock, ids, jobs = Store(":memory:"), SystemClock(), SeededIds(), FakeJobs()
    unity = UnityService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    objects = WorkspaceService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    permissions = PermissionsService(store=store, user=USER_NAME)
    secrets = SecretsService(store=store, clock=clock)
    table = [*workspace_routes(objects, permissions), *unity_routes(unity), *secrets_routes(secrets), *jobs.routes()]
    table = [route for route in table if not route.path.startswith(without)] if without else table
    faults = Faults(application(table, callers=OneToken(TOKEN, USER_NAME)))
    front.behind = faults
    yield Served(front.host, jobs, objects, unity, permissions, secrets, faults)
    store.close()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that does not make a test wait."""
    return FakeClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


ROOT = "/Workspace/Users/developer@harness.local/.bundle/demo/default"
BUNDLE = """
bundle: {name: demo}
artifacts:
  pack: {type: whl, path: ./pack, build: python3 ../pack.py module.py && echo . >> ../builds}
resources:
  schemas: {s: {name: fares, catalog_name: main, comment: first}}
  volumes: {v: {name: files, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  registered_models: {m: {name: model, catalog_name: main, schema_name: "${resources.schemas.s.name}"}}
  experiments: {e: {name: "/Users/${workspace.current_user.userName}/e"}}
  jobs:
    nightly:
      name: nightly
      description: ${resources.experiments.e.id}
      parameters: [{name: day, default: monday}]
      environments: [{environment_key: default, spec: {environment_version: "5", dependencies: [./pack/dist/*.whl, numpy]}}]
      tasks:
        - {task_key: first, environment_key: default, python_wheel_task: {package_name: pack, entry_point: main}}
        - task_key: second
          depends_on: [{task_key: first}]
          environment_key: default
          python_wheel_task: {package_name: pack, entry_point: main}
"""
WHEEL = f"{ROOT}/artifacts/.internal/pack-1.0-py3-none-any.whl"

PACK = """
import pathlib, sys, zipfile
pathlib.Path("dist").mkdir(exist_ok=True)
if len(sys.argv) > 1:
    with zipfile.ZipFile("dist/pack-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("pack/__init__.py", pathlib.Path(sys.argv[1]).read_text())
        wheel.writestr("pack-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: pack\\nVersion: 1.0\\n")
        wheel.writestr("pack-1.0.dist-info/entry_points.txt", "[console_scripts]\\nmain = pack:main\\n")
        wheel.writestr("pack-1.0.dist-info/RECORD", "")
"""


class Given:
    """A bundle on disk, and how to deploy it as it stands."""

    def __init__(self, folder: Path, served: Served) -> None:
        self.folder = folder
        self.client = served.client
        self.said: list[str] = []
        self.text = BUNDLE
        (folder / "pack").mkdir(parents=True)
        (folder / "pack" / "pyproject.toml").write_text("[project]\nname = 'pack'\n")
        (folder / "pack" / "module.py").write_text("one = 1")
        (folder / "pack.py").write_text(PACK)
        self.write(BUNDLE)

    def write(self, text: str) -> None:
        """Write its databricks.yml."""
        (self.folder / "databricks.yml").write_text(text)

    def read(self) -> Bundle:
        """Return the bundle as it is on disk."""
        return read_bundle(self.folder, self.client, Choice())

    def deploy(self, *, approve: bool = False, **options: Any) -> Deployment:
        """Deploy it as it is on disk."""
        return deploy(self.read(), self.client, folder=self.folder, progress=self.said.append, approve=approve, **options)

    def file(self, name: str, text: str) -> Path:
        """Write one of its files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def files(self) -> set[str]:
        """Return the paths of what lies below its folder of files in the workspace, folders left out."""
        found = self.client.workspace.list(f"{ROOT}/files", recursive=True)
        return {str(each.path).removeprefix(f"{ROOT}/files/") for each in found if each.object_type != ObjectType.DIRECTORY}

    def builds(self) -> int:
        """Return how often its wheel was built."""
        return len((self.folder / "builds").read_text().split())


@pytest.fixture
def given(tmp_path: Path, served: Served) -> Given:
    """Return a bundle that has never been deployed."""
    return Given(tmp_path / "bundle", served)


@pytest.fixture
def make_given() -> type[Given]:
    """Return how a bundle on disk is made for a workspace."""
    return Given
