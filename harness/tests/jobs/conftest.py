"""Jobs alone: their application on a port of its own, tasks that do what the test says instead of processes."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import Run

from harness.clock import FakeClock
from harness.config import Layout
from harness.errors import ApiError
from harness.http import OneToken, application
from harness.ids import SeededIds
from harness.jobs import JobService, Outcome, RunEvent, TaskProcess, routes
from harness.state import Store

TOKEN = "t0ken"
START = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
Act = Callable[[TaskProcess, threading.Event], Outcome]


@dataclass
class ScriptedRunner:
    """Tasks end as `acts` says, attempt by attempt; without a word, with success."""

    acts: dict[str, list[Act]] = field(default_factory=dict)
    ran: list[TaskProcess] = field(default_factory=list)

    def run(self, task: TaskProcess, *, cancelled: threading.Event, on_running: Callable[[], None]) -> Outcome:
        """Do what the script says."""
        self.ran.append(task)
        task.folder.mkdir(parents=True)
        on_running()
        acts = self.acts.get(task.task_key, [])
        return acts.pop(0)(task, cancelled) if acts else Outcome("SUCCESS")

    def keys(self) -> list[str]:
        """Return the tasks in the order they ran."""
        return [task.task_key for task in self.ran]

    def wait_for_output(self, key: str) -> None:
        """Wait until a task has printed on both streams."""
        deadline = time.monotonic() + 10
        while not any(task.task_key == key and (task.folder / "stderr").exists() for task in self.ran):
            assert time.monotonic() < deadline
            time.sleep(0.005)


def fails(_: TaskProcess, __: threading.Event) -> Outcome:
    """Fail as a task whose code raises."""
    return Outcome("FAILED", "Workload failed, see run output for details", "ValueError: no trips", "Traceback …\nValueError: no trips")


def times_out(_: TaskProcess, __: threading.Event) -> Outcome:
    """End as a task that took too long."""
    return Outcome("TIMEDOUT", "out of time")


def sets(**values: object) -> Act:
    """Set task values, then succeed."""

    def act(task: TaskProcess, _: threading.Event) -> Outcome:
        task.values.mkdir(parents=True, exist_ok=True)
        (task.values / f"{task.task_key}.json").write_bytes(msgspec.json.encode(values))
        return Outcome("SUCCESS")

    return act


def until_cancelled(_: TaskProcess, cancelled: threading.Event) -> Outcome:
    """Run until the run is cancelled."""
    assert cancelled.wait(20)
    return Outcome("CANCELED", "Run cancelled.")


class Files:
    """One file, at `/Workspace/there.whl`."""

    def file(self, path: str) -> Path:
        """Return it, or 404."""
        if path != "/Workspace/there.whl":
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
        return Path("/tmp/there.whl")


@dataclass
class Data:
    """What triggers watch: sizes of files, versions of tables."""

    sizes: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def files(self, folder: str) -> Mapping[str, int]:
        """Return the files in a folder."""
        return {path: size for path, size in self.sizes.items() if path.startswith(folder)}

    def version(self, table: str) -> int | None:
        """Return the version of a table."""
        return self.versions.get(table)


@dataclass
class Workspace:
    """A running harness with nothing but jobs."""

    host: str
    service: JobService
    runner: ScriptedRunner
    clock: FakeClock
    events: list[RunEvent]
    data: Data
    layout: Layout
    store: Store
    sdk: WorkspaceClient
    http: httpx.Client

    def create(self, *tasks: dict[str, object], **settings: object) -> int:
        """Create a job of these tasks through plain HTTP and return its id."""
        body = {"name": "pipeline", "environments": [ENVIRONMENT], "tasks": list(tasks), **settings}
        answer = self.http.post("/api/2.2/jobs/create", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["job_id"])

    def run(self, job_id: int, **body: object) -> Run:
        """Start a run and return what became of it."""
        answer = self.http.post("/api/2.2/jobs/run-now", json={"job_id": job_id, **body})
        assert answer.status_code == 200, answer.text
        return self.ended(answer.json()["run_id"])

    def ended(self, run_id: int) -> Run:
        """Wait for the end of a run."""
        return self.reaches(run_id, "TERMINATED", "SKIPPED", "INTERNAL_ERROR")

    def reaches(self, run_id: int, *life_cycles: str) -> Run:
        """Wait until a run is in one of these states."""
        deadline = time.monotonic() + 10
        while True:
            run = self.sdk.jobs.get_run(run_id)
            assert run.state is not None
            assert run.state.life_cycle_state is not None
            if run.state.life_cycle_state.value in life_cycles:
                return run
            assert time.monotonic() < deadline, run.state
            time.sleep(0.005)

    def service_again(self) -> JobService:
        """Return the service of a second harness on the same state."""
        return _service(self.clock, self.store, self.layout, self.runner, self.data, [])


@dataclass(frozen=True)
class Scripts:
    """What tests write jobs with."""

    environment: Mapping[str, object]
    task: Callable[..., dict[str, object]]
    fails: Act
    times_out: Act
    until_cancelled: Act
    sets: Callable[..., Act]


ENVIRONMENT = {"environment_key": "default", "spec": {"environment_version": "4", "dependencies": ["/Workspace/there.whl", "pandas"]}}


def task(key: str, *after: str, parameters: list[str] | None = None, **settings: object) -> dict[str, object]:
    """Return the JSON of a wheel task."""
    wheel = {"package_name": "taxi", "entry_point": key, "parameters": parameters or []}
    return {
        "task_key": key,
        "environment_key": "default",
        "python_wheel_task": wheel,
        "depends_on": [{"task_key": other} for other in after],
        **settings,
    }


@pytest.fixture
def scripts() -> Scripts:
    """Tasks, and what they can do."""
    return Scripts(ENVIRONMENT, task, fails, times_out, until_cancelled, sets)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A harness of jobs alone."""
    layout = Layout(tmp_path).make()
    store, clock, runner, data, events = Store(layout.database), FakeClock(START), ScriptedRunner(), Data(), list[RunEvent]()
    service = _service(clock, store, layout, runner, data, events)
    server = uvicorn.Server(
        uvicorn.Config(application(routes(service), callers=OneToken(TOKEN, "me@example.com")), port=0, log_level="warning", ws="none")
    )
    socket = server.config.bind_socket()
    host = f"http://127.0.0.1:{socket.getsockname()[1]}"
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    with httpx.Client(base_url=host, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=20) as http:
        yield Workspace(host, service, runner, clock, events, data, layout, store, WorkspaceClient(host=host, token=TOKEN), http)
    server.should_exit = True
    service.close()
    store.close()
    socket.close()


def _service(clock: FakeClock, store: Store, layout: Layout, runner: ScriptedRunner, data: Data, events: list[RunEvent]) -> JobService:
    return JobService(
        clock=clock,
        ids=SeededIds(),
        store=store,
        layout=layout,
        runner=runner,
        files=Files(),
        data=data,
        host_url="http://harness",
        on_event=events.append,
    )
