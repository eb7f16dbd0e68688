"""The lives of served models' processes: what a model does to its own process stays there; nobody else's calls suffer."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from harness.config import Layout
from harness.serving import ProcessSettings, ServingService
from harness.serving.launch import MAX_RESTARTS

pytestmark = pytest.mark.platform

# Does to its process what its input says.
MISCHIEF = """
import ctypes, os, signal, subprocess, sys, time, mlflow
print("loading in", os.getpid(), flush=True)
time.sleep(float(os.environ.get("LOADING_SECONDS", 0)))
KEPT = []
class Mischief(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        word, _, number = model_input["do"].iloc[0].partition(" ")
        if word == "os._exit": os._exit(9)
        if word == "sys.exit": sys.exit(3)
        if word == "segfault": ctypes.string_at(0)
        if word == "SIGKILL": os.kill(os.getpid(), signal.SIGKILL)
        if word == "patricide": os.kill(os.getppid(), signal.SIGKILL)
        if word == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if word == "hang": time.sleep(600)
        if word == "leak": KEPT.append(b"x" * (int(number) << 20)); time.sleep(600)
        if word == "print":
            for line in range(int(number)): print(line, "x" * 1000)
            print("the last line")
        if word == "read": return [input()]
        if word == "close": os.close(0); os.close(1); print("nobody hears this")
        if word == "child": return [subprocess.Popen(["sleep", "600"]).pid]
        if word == "parent": return [os.getppid()]
        return [os.getpid()]
mlflow.models.set_model(Mischief())
"""
SETTINGS = ProcessSettings(
    idle_seconds=0.5,
    cold_start_seconds=0.5,
    look_seconds=0.05,
    log_bytes=64 << 10,
    memory_bytes={"CPU": 900 << 20},
    drain_seconds=1,
)


class Models(Protocol):
    """What conftest.py makes."""

    folders: dict[tuple[str, str], Path]


class Workspace(Protocol):
    """What conftest.py starts."""

    host: str
    layout: Layout
    serving: ServingService
    http: httpx.Client

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table."""
        ...


@dataclass
class Endpoint:
    """An endpoint, called by plain HTTP."""

    workspace: Workspace
    name: str
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"/api/2.0/serving-endpoints/{self.name}"

    def call(self, word: str = "pid") -> httpx.Response:
        """Have the model do something."""
        return self.workspace.http.post(f"/serving-endpoints/{self.name}/invocations", json={"dataframe_records": [{"do": word}]})

    def number(self, word: str = "pid") -> int:
        """Return the model's answer to `word`."""
        answer = self.call(word)
        assert answer.status_code == 200, answer.text
        number: int = answer.json()["predictions"][0]
        return number

    def show(self) -> dict[str, Any]:
        """Return the endpoint as the API shows it."""
        shown: dict[str, Any] = self.workspace.http.get(self.url).json()
        return shown

    def told(self) -> tuple[str, str, str]:
        """Return whether it is ready, and its entity's state and message."""
        shown = self.show()
        state = (shown.get("config") or shown["pending_config"])["served_entities"][0]["state"]
        return shown["state"]["ready"], state["deployment"], state["deployment_state_message"]

    def logs(self) -> str:
        """Return the model's output."""
        text: str = self.workspace.http.get(f"{self.url}/served-models/mischief-1/logs").json()["logs"]
        return text

    def put(self, **entity: Any) -> None:
        """Replace what it serves, and wait for the end of that."""
        assert self.workspace.http.put(f"{self.url}/config", json={"served_entities": [served(**entity)]}).status_code == 200
        wait_until(lambda: self.show()["state"]["config_update"] != "IN_PROGRESS")


MakeEndpoint = Callable[..., Endpoint]


@pytest.fixture(scope="module")
def workspace(models: Models, start_workspace: Callable[..., Workspace], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A harness in which times are short and room is small."""
    import mlflow

    folder = tmp_path_factory.mktemp("mischief")
    (folder / "mischief.py").write_text(MISCHIEF)
    models.folders["main.ml.mischief", "1"] = folder / "model"
    mlflow.pyfunc.save_model(str(folder / "model"), python_model=str(folder / "mischief.py"), pip_requirements=["mlflow-skinny"])
    return start_workspace(tmp_path_factory.mktemp("lives"), SETTINGS)


@pytest.fixture
def make_endpoint(workspace: Workspace) -> Iterator[MakeEndpoint]:
    """Make an endpoint of one entity, ready or not; deleted at the end."""
    made: list[Endpoint] = []

    def make(name: str, *, wait: bool = True, **entity: Any) -> Endpoint:
        config = {"served_entities": [served(**entity)]}
        workspace.http.post("/api/2.0/serving-endpoints", json={"name": name, "config": config}).raise_for_status()
        endpoint = Endpoint(workspace, name)
        made.append(endpoint)
        if wait:
            wait_until(lambda: endpoint.show()["state"]["config_update"] != "IN_PROGRESS")
            assert endpoint.told()[:2] == ("READY", "DEPLOYMENT_READY"), endpoint.told()
        return endpoint

    yield make
    for endpoint in made:
        workspace.http.delete(endpoint.url)


@pytest.fixture(scope="module")
def neighbour(workspace: Workspace) -> Endpoint:
    """An endpoint that others shall not notice."""
    config = {"served_entities": [served()]}
    workspace.http.post("/api/2.0/serving-endpoints", json={"name": "neighbour", "config": config}).raise_for_status()
    endpoint = Endpoint(workspace, "neighbour")
    wait_until(lambda: endpoint.told()[0] == "READY")
    return endpoint


@pytest.mark.parametrize(
    ("word", "message"),
    [
        pytest.param("os._exit", "The model server ended with exit status 9.", id="os._exit"),
        pytest.param("sys.exit", "The model server ended with exit status 70.", id="sys.exit"),
        pytest.param("segfault", "The model server was ended by signal 11 (SIGSEGV).", id="segmentation fault"),
        pytest.param("SIGKILL", "The model server was ended by signal 9 (SIGKILL).", id="killed"),
    ],
)
def test_model_that_ends_its_process_takes_nobody_along(make_endpoint: MakeEndpoint, neighbour: Endpoint, word: str, message: str) -> None:
    """Its own call is a 500, the next one is answered by a new process, the entity says why; the neighbour answers all the time."""
    endpoint = make_endpoint("dies")
    before = endpoint.number()
    with unharmed(neighbour):
        killer = endpoint.call(word)
        after = endpoint.number()
    assert (killer.status_code, killer.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert after != before
    assert endpoint.told() == ("READY", "DEPLOYMENT_READY", f"Started again. {message}")


def test_segmentation_fault_leaves_its_stack_in_the_log(make_endpoint: MakeEndpoint) -> None:
    """Whoever wrote the model finds the line."""
    endpoint = make_endpoint("faults")
    endpoint.call("segfault")
    assert "Segmentation fault" in endpoint.logs()
    assert "in predict" in endpoint.logs()


def test_model_that_keeps_crashing_is_given_up_until_it_is_deployed_again(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """The entity fails with the reason, calls to it are 503 at once; the neighbour answers all the time; an update starts it again."""
    endpoint = make_endpoint("loops")
    with unharmed(neighbour):
        assert {endpoint.call("os._exit").status_code for _ in range(1 + MAX_RESTARTS)} == {500}
        wait_until(lambda: endpoint.told()[1] == "DEPLOYMENT_FAILED")
        refused = endpoint.call()
    assert (refused.status_code, refused.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    message = "The model server ended with exit status 9. It is not started again after 3 restarts within 0:05:00."
    assert endpoint.told() == ("NOT_READY", "DEPLOYMENT_FAILED", message)
    endpoint.put()
    assert endpoint.told() == ("READY", "DEPLOYMENT_READY", "")
    assert endpoint.call().status_code == 200


def test_model_that_hangs_is_replaced_and_others_are_answered(
    make_endpoint: MakeEndpoint, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many hanging calls as it has threads are each a 504; a second process takes over, and the first ends."""
    endpoint = make_endpoint("hangs")
    before = endpoint.number()
    monkeypatch.setattr(workspace.serving.invocations, "execution_seconds", 1.0)
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(endpoint.call("hang").status_code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    assert answers == [504] * 4
    wait_until(lambda: endpoint.told()[2] == "Started again, because a call took longer than any may.")
    assert endpoint.number() != before
    wait_until(lambda: not runs(before))


def test_what_a_model_prints_is_bounded_and_its_end_is_kept(make_endpoint: MakeEndpoint, workspace: Workspace) -> None:
    """Ten megabytes into a log of 64 KB: the newest is there."""
    endpoint = make_endpoint("prints")
    endpoint.number("print 10000")
    (id_,) = [record.served_entity_id for record in workspace.serving.served_entities() if record.endpoint_name == "prints"]
    files = [workspace.layout.logs / "serving" / name for name in (f"{id_}.log", f"{id_}.log.1")]
    wait_until(lambda: sum(file.stat().st_size for file in files if file.exists()) < 3 * (64 << 10))
    wait_until(lambda: endpoint.logs().endswith("the last line\n"))
    assert "9999 xxx" in endpoint.logs()


def test_model_that_uses_too_much_memory_is_ended_and_started_again(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """The entity says how much it used; the neighbour answers all the time."""
    endpoint = make_endpoint("leaks")
    with unharmed(neighbour):
        assert endpoint.call("leak 1000").status_code == 500
        assert endpoint.call().status_code == 200
    ready, deployment, message = endpoint.told()
    assert (ready, deployment) == ("READY", "DEPLOYMENT_READY")
    assert message.startswith("Started again. The model server used ")
    assert message.endswith(" GB of memory; its workload type has 0.88 GB.")


def test_model_may_close_and_read_its_standard_streams(make_endpoint: MakeEndpoint) -> None:
    """There is nothing to read, and nobody to disturb."""
    endpoint = make_endpoint("talks")
    answer = endpoint.call("read")
    assert (answer.status_code, "EOFError" in answer.text) == (400, True)
    endpoint.call("close")
    assert endpoint.call().status_code == 200


def test_what_a_model_started_ends_with_it(make_endpoint: MakeEndpoint, workspace: Workspace) -> None:
    """Whether it is deleted or crashes, and though it ignores polite requests."""
    endpoint = make_endpoint("parents")
    child = endpoint.number("child")
    endpoint.call("os._exit")
    wait_until(lambda: not runs(child))
    endpoint.call("deaf")
    own, child = endpoint.number(), endpoint.number("child")
    workspace.http.delete(endpoint.url)
    wait_until(lambda: not runs(child) and not runs(own))


def test_model_that_takes_long_to_load_holds_up_nobody(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """Its endpoint is IN_PROGRESS; others answer, and others are made; calls to it say that it is not there yet."""
    slow = make_endpoint("slow", wait=False, environment_vars={"LOADING_SECONDS": "5"})
    with unharmed(neighbour):
        make_endpoint("quick")
        shown = slow.show()
        assert shown["state"] == {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
        assert shown["pending_config"]["served_entities"][0]["state"]["deployment"] == "DEPLOYMENT_CREATING"
        assert slow.call().status_code == 503
        wait_until(lambda: slow.told()[0] == "READY")


def test_closing_does_not_wait_for_a_model_that_loads(
    workspace: Workspace, start_workspace: Callable[..., Workspace], tmp_path: Path
) -> None:
    """Its process is ended in the middle of it."""
    assert workspace  # has registered the model
    other = start_workspace(tmp_path, ProcessSettings())
    config = {"served_entities": [served(environment_vars={"LOADING_SECONDS": "600"})]}
    other.http.post("/api/2.0/serving-endpoints", json={"name": "slow", "config": config}).raise_for_status()
    wait_until(lambda: "loading in" in Endpoint(other, "slow").logs())
    pid = int(Endpoint(other, "slow").logs().split("loading in ")[1].split()[0])
    assert runs(pid)
    other.serving.close()
    assert not runs(pid)


def test_death_of_the_warm_parent_is_noticed_by_no_call(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """Processes that it forked go on, and end when they are removed; the next is forked by a new one."""
    endpoint = make_endpoint("orphaned")
    parent, pid = endpoint.number("parent"), endpoint.number()
    assert neighbour.number("parent") == parent
    with unharmed(neighbour):
        endpoint.call("patricide")
        wait_until(lambda: not runs(parent))
        after = make_endpoint("born-later")
        assert endpoint.number() == pid
        assert after.number("parent") not in (parent, os.getpid())
        assert endpoint.call("os._exit").status_code == 500
        assert endpoint.number() != pid


def test_variables_that_libraries_read_when_loaded_get_a_fresh_process(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """Forking would bring them too late."""
    assert make_endpoint("single", environment_vars={"OMP_NUM_THREADS": "1"}).number("parent") == os.getpid()
    assert neighbour.number("parent") != os.getpid()


def test_idle_entity_has_no_process_until_it_is_called(make_endpoint: MakeEndpoint) -> None:
    """Its endpoint stays READY; calls that wake it wait for it, all of them; the message says what goes on."""
    endpoint = make_endpoint("sleeps", scale_to_zero_enabled=True)
    pid = endpoint.number()
    wait_until(lambda: endpoint.told() == ("READY", "DEPLOYMENT_READY", "Scaled to zero"))
    wait_until(lambda: not runs(pid))
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(endpoint.number())) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: endpoint.told() == ("READY", "DEPLOYMENT_READY", "Scaling from zero"))
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert pid not in answers
    wait_until(lambda: endpoint.told()[2] == "Scaled to zero")


def test_caller_that_leaves_while_the_entity_wakes_harms_nobody(make_endpoint: MakeEndpoint, workspace: Workspace) -> None:
    """The entity wakes all the same."""
    endpoint = make_endpoint("abandoned", scale_to_zero_enabled=True)
    wait_until(lambda: endpoint.told()[2] == "Scaled to zero")
    body = {"dataframe_records": [{"do": "pid"}]}
    with pytest.raises(httpx.ReadTimeout):
        workspace.http.post("/serving-endpoints/abandoned/invocations", json=body, timeout=0.1)
    assert endpoint.call().status_code == 200


def test_busy_entity_and_one_without_scale_to_zero_keep_their_processes(make_endpoint: MakeEndpoint, neighbour: Endpoint) -> None:
    """Idle is who has no call inside, for all of the time."""
    before = neighbour.number()
    busy = make_endpoint("busy", scale_to_zero_enabled=True)
    pids = set()
    until = time.monotonic() + 2
    while time.monotonic() < until:
        pids.add(busy.number())
        time.sleep(0.05)
    assert len(pids) == 1
    assert neighbour.number() == before


def test_sleeping_endpoint_can_be_updated_and_deleted(make_endpoint: MakeEndpoint, workspace: Workspace) -> None:
    """An unchanged entity goes on sleeping; what is deleted stays so."""
    endpoint = make_endpoint("still", scale_to_zero_enabled=True)
    wait_until(lambda: endpoint.told()[2] == "Scaled to zero")
    endpoint.put(scale_to_zero_enabled=True)
    assert endpoint.told() == ("READY", "DEPLOYMENT_READY", "Scaled to zero")
    workspace.http.delete(endpoint.url)
    assert endpoint.call().status_code == 404


def test_swaps_under_load_fail_no_call_and_end_at_once(workspace: Workspace) -> None:
    """Calls that begin after an update is reported done are answered by the new version; the log names the entity that answered."""
    workspace.http.post("/api/2.0/serving-endpoints", json=swapped("1", name="swaps")).raise_for_status()
    endpoint = Endpoint(workspace, "swaps")
    wait_until(lambda: endpoint.told()[0] == "READY")
    calls: list[tuple[float, httpx.Response]] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=workspace.host, headers=workspace.http.headers, timeout=60) as client:
            while not stop.is_set():
                begun = time.monotonic()
                answer = client.post("/serving-endpoints/swaps/invocations", json={"dataframe_records": [{"a": 1, "b": 2}]})
                calls.append((begun, answer))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    swaps: list[tuple[float, float, str]] = []
    for version in ("2", "1", "2", "1"):
        begun = time.monotonic()
        workspace.http.put(f"{endpoint.url}/config", json=swapped(version)["config"]).raise_for_status()
        wait_until(lambda: endpoint.show()["state"]["config_update"] == "NOT_UPDATING")
        swaps.append((begun, time.monotonic(), version))
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()

    assert {answer.status_code for _, answer in calls} == {200}
    for number, (_, done, version) in enumerate(swaps):
        until = swaps[number + 1][0] if number + 1 < len(swaps) else float("inf")
        between = {answer.json()["predictions"][0] for begun, answer in calls if done <= begun < until}
        assert between == {PREDICTIONS[version]}
    versions = {record.served_entity_id: record.entity_version for record in workspace.serving.served_entities()}
    rows = {row["databricks_request_id"]: row for row in workspace.rows("main.logs.swaps_payload")}
    assert len(rows) == len(calls)
    for _, answer in calls:
        row = rows[answer.headers["x-databricks-request-id"]]
        assert (answer.json()["predictions"], row["response"]) == ([PREDICTIONS[versions[row["served_entity_id"]]]], answer.text)
    workspace.http.delete(endpoint.url)


PREDICTIONS = {"1": 3.0, "2": 103.0}


def swapped(version: str, **more: Any) -> dict[str, Any]:
    """Return the creation of a logged endpoint of `main.ml.adds`."""
    table = {"catalog_name": "main", "schema_name": "logs", "table_name_prefix": "swaps", "enabled": True}
    entity = {"entity_name": "main.ml.adds", "entity_version": version, "name": "adds"}
    return {"config": {"served_entities": [entity]}, "ai_gateway": {"inference_table_config": table}, **more}


@contextmanager
def unharmed(endpoint: Endpoint) -> Iterator[None]:
    """Call `endpoint` all the time meanwhile; each call must be answered by one and the same process."""
    stop = threading.Event()
    answers: list[tuple[int, str]] = []

    def load() -> None:
        while not stop.wait(0.03):
            answer = endpoint.call()
            answers.append((answer.status_code, answer.text))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(set(answers)) == 1
    assert answers[0][0] == 200


def test_endpoints_of_a_user_end_with_their_processes(workspace: Workspace, make_endpoint: MakeEndpoint) -> None:
    """Also one that is still on its way; what their processes printed goes too. It is the last test: the neighbour goes as well."""
    logs = workspace.layout.logs / "serving"
    before = set(logs.iterdir()) if logs.exists() else set()
    ready = make_endpoint("mine")
    process = ready.number()
    coming = make_endpoint("on-its-way", wait=False, environment_vars={"LOADING_SECONDS": "600"})
    wait_until(lambda: "loading in" in coming.logs())
    loading = int(coming.logs().split("loading in")[1].split()[0])
    workspace.serving.delete_of("somebody@else.com")
    assert ready.number() == process

    workspace.serving.delete_of("me@example.com")

    assert [pid for pid in (process, loading) if runs(pid)] == []
    assert [endpoint.workspace.http.get(endpoint.url).status_code for endpoint in (ready, coming)] == [404, 404]
    assert set(logs.iterdir()) <= before


def served(**more: Any) -> dict[str, Any]:
    return {"entity_name": "main.ml.mischief", "entity_version": "1", **more}


def runs(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone, before or while it is read
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return when `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
