"""Our endpoints answer what MLflow's own scoring server answers, status and bytes, whatever they are asked.

As many requests as HARNESS_FUZZ_REQUESTS says (some per model without it), spread over the models; HARNESS_FUZZ_SEED draws others.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.engines.processes import Lifeline, guest_path

sys.path.append(str(Path(__file__).parent / "conformance"))
import generated_requests
from generated_requests import Ask
from served_models import Column, Kind, kinds

pytestmark = [pytest.mark.platform, pytest.mark.property]
APPS = Path(__file__).parent / "conformance" / "mlflow_apps.py"
REQUESTS = int(os.environ.get("HARNESS_FUZZ_REQUESTS", "0"))
SEED = int(os.environ.get("HARNESS_FUZZ_SEED", "0"))
PER_RUN = 2000  # Hypothesis remembers every example of a run
SHARES = {"gbr": 4, "typed": 2, "params": 2, "outputs": 1}  # of all requests, relative; the others have 1
NAMES = list(kinds())
TREES = ["gbr", "gbr-mixed", "gbr-unsigned", "hist"]


class Workspace(Protocol):
    """What conftest.py starts."""

    sdk: Any
    http: httpx.Client


class Models(Protocol):
    """The models that conftest.py saved."""

    folders: dict[tuple[str, str], Path]


@dataclass(frozen=True)
class Difference:
    """Where our answer may differ from MLflow's, and why; `same` says whether two answers differ in this alone."""

    reason: str
    same: Callable[[httpx.Response, httpx.Response], bool]


def _text(pattern: str) -> Callable[[httpx.Response, httpx.Response], bool]:
    def same(ours: httpx.Response, theirs: httpx.Response) -> bool:
        return ours.status_code == theirs.status_code and re.sub(pattern, "…", ours.text) == re.sub(pattern, "…", theirs.text)

    return same


def _sets_sorted(ours: httpx.Response, theirs: httpx.Response) -> bool:
    def ordered(text: str) -> str:
        return re.sub(r"(\{|inputs: \[).*[\]}]|parameters: [^.]*", lambda found: "".join(sorted(found[0])), text[1:-1])

    return ours.status_code == theirs.status_code >= 400 and ordered(ours.text) == ordered(theirs.text)


def _clients_fault(ours: httpx.Response, theirs: httpx.Response) -> bool:
    return (ours.status_code, theirs.status_code >= 500, ours.text) == (400, True, theirs.text)


def _unreadable(ours: httpx.Response, theirs: httpx.Response) -> bool:
    if (theirs.status_code, theirs.text) != (500, "Internal Server Error"):
        return False
    return ours.status_code == 415 or (ours.status_code == 400 and ours.json()["error_code"] == "BAD_REQUEST")


ALLOWED = [
    Difference("messages print sets, whose order is another in each process", _sets_sorted),
    Difference("messages and stack traces print objects with their addresses in memory", _text("0x[0-9a-f]{6,}")),
    Difference("the platform's documentation keeps 5xx for its own faults; MLflow says 500 to a MlflowException", _clients_fault),
    Difference("a body that breaks MLflow's parser is the client's fault too: 400 here, 500 without a reason there", _unreadable),
]


@dataclass(frozen=True)
class Servers:
    """One model behind our endpoint and behind MLflow's server."""

    kind: Kind
    folder: Path
    ours: Callable[[Ask], httpx.Response]
    theirs: Callable[[Ask], httpx.Response]

    def compare(self, ask: Ask) -> None:
        """Fail unless both answer the same, or differ in an allowed way."""
        ours, theirs = self.ours(ask), self.theirs(ask)
        assert ours.headers["x-databricks-request-id"]
        if _shown(ours) != _shown(theirs) and not any(difference.same(ours, theirs) for difference in ALLOWED):
            assert (ask, *_shown(ours)) == (ask, *_shown(theirs))


def _shown(answer: httpx.Response) -> tuple[int, str, bytes]:
    return answer.status_code, answer.headers["content-type"], answer.content


def _asker(client: httpx.Client, path: str) -> Callable[[Ask], httpx.Response]:
    def ask(ask: Ask) -> httpx.Response:
        headers = {} if ask.content_type is None else {"content-type": ask.content_type.encode("latin-1")}
        return client.post(path, content=ask.body, headers=headers)  # type: ignore[arg-type]  # bytes are allowed, unannounced

    return ask


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every model, saved."""
    root = tmp_path_factory.mktemp("conformance")
    for name, kind in kinds().items():
        kind.save(root / name)
    return {name: root / name for name in NAMES}


@pytest.fixture(scope="module")
def mlflow_server(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """MLflow's scoring server, with one application per model in one process."""
    lifeline, log = Lifeline(), tmp_path_factory.mktemp("mlflow") / "log"
    named = [f"{name}={folder}" for name, folder in folders.items()]
    command = [sys.executable, str(APPS), *named]
    process = lifeline.spawn(command, log=log, stdout=subprocess.PIPE, environment={"PYTHONPATH": guest_path()})
    assert process.stdout is not None
    port = process.stdout.readline().decode().strip()
    assert port, log.read_text()
    # It closes a connection on what it cannot read, without a word: no request goes by the connection of an earlier one.
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=httpx.Limits(max_keepalive_connections=0)) as client:
        yield client
    lifeline.close()
    process.wait(30)
    process.stdout.close()


@pytest.fixture(scope="module", params=NAMES)
def servers(
    request: pytest.FixtureRequest, workspace: Workspace, models: Models, folders: dict[str, Path], mlflow_server: httpx.Client
) -> Iterator[Servers]:
    """One model after the other, behind both servers."""
    name = request.param
    models.folders[f"main.compared.{name}", "1"] = folders[name]
    entity = ServedEntityInput(entity_name=f"main.compared.{name}", entity_version="1", scale_to_zero_enabled=True)
    config = EndpointCoreConfigInput(name=name, served_entities=[entity])
    workspace.sdk.serving_endpoints.create_and_wait(f"same-{name}", config=config, timeout=timedelta(seconds=120))
    ours = _asker(workspace.http, f"/serving-endpoints/same-{name}/invocations")
    yield Servers(kinds()[name], folders[name], ours, _asker(mlflow_server, f"/{name}/invocations"))
    workspace.sdk.serving_endpoints.delete(f"same-{name}")


@pytest.fixture(scope="module")
def models_serve(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The command `mlflow models serve` itself, on one model."""
    lifeline, log = Lifeline(), tmp_path_factory.mktemp("serve") / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    run = "from harness_guest import lifeline; lifeline.follow(); from mlflow.cli import cli; cli()"
    command = ["models", "serve", "--env-manager", "local", "-m", str(folders["gbr"]), "-h", "127.0.0.1", "-p", str(port)]
    on_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the command starts `uvicorn` by name
    environment = {"PYTHONPATH": guest_path(), "PATH": on_path}
    process = lifeline.spawn([sys.executable, "-c", run, *command], log=log, environment=environment)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        ends = time.monotonic() + 120
        while True:
            try:
                client.get("/ping")
                break
            except httpx.TransportError:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < ends, log.read_text()
                time.sleep(0.2)
        yield client
    lifeline.close()
    process.wait(30)


def test_applications_compared_with_are_mlflow_models_serve(mlflow_server: httpx.Client, models_serve: httpx.Client) -> None:
    """What the others compare with, several applications in one process, answers as the command does."""
    columns = kinds()["gbr"].columns
    asks = [ask for odd in generated_requests.ODD_NUMBERS[::3] for ask in generated_requests.in_every_format(columns, [odd] + ["1"] * 5)]
    asks += [Ask(b"{", content_type) for content_type in [*generated_requests.CONTENT_TYPES, None]]
    one, other = _asker(mlflow_server, "/gbr/invocations"), _asker(models_serve, "/invocations")
    for ask in asks:
        ours, theirs = one(ask), other(ask)
        assert _shown(ours) == _shown(theirs) or _sets_sorted(ours, theirs), ask


def _repeat(law: Callable[[Ask], None], asks: SearchStrategy[Ask], count: int) -> None:
    """Check `law` on `count` requests, in runs short enough for memory; each run draws others."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = (Phase.generate,)  # a request is short enough to read; shrinking one asks two servers for minutes
    for number, start in enumerate(range(0, count, PER_RUN)):
        chosen = settings(max_examples=min(PER_RUN, count - start), database=None, phases=phases, suppress_health_check=checks)
        seed(SEED * 1_000_003 + number)(chosen(given(asks)(law)))()


def _share(name: str, *, default: int) -> int:
    if not REQUESTS:
        return default
    return REQUESTS * SHARES.get(name, 1) // sum(SHARES.get(other, 1) for other in [*NAMES, "gbr"])


def _thresholds(servers: Servers) -> list[float]:
    """Where the model's trees split: at these numbers, in single or in double precision, an answer changes."""
    import mlflow

    if servers.folder.name not in TREES:
        return []
    model = mlflow.pyfunc.load_model(str(servers.folder)).get_raw_model()
    if servers.folder.name == "hist":
        nodes = [node for (predictor,) in model._predictors for node in predictor.nodes if not node["is_leaf"]]
        return [float(node["num_threshold"]) for node in nodes]
    return [float(threshold) for (tree,) in model.estimators_ for threshold in tree.tree_.threshold[tree.tree_.children_left >= 0]]


def _good(servers: Servers) -> Callable[[Column], SearchStrategy[str]]:
    """Cells as they should be, many of them at and next to the thresholds of the model's trees."""
    thresholds = _thresholds(servers)
    usual = generated_requests.GOOD
    close = {**usual, "double": st.one_of(usual["double"], generated_requests.near(thresholds))} if thresholds else usual
    return lambda column: close[column.kind]


def test_any_request_has_mlflows_answer(servers: Servers) -> None:
    """Formats, names, types, params, content types and bytes, right and wrong."""
    good = _good(servers)
    _repeat(servers.compare, generated_requests.asks(servers.kind, good), _share(servers.folder.name, default=100))


@pytest.mark.parametrize("servers", TREES, indirect=True)
def test_plain_rows_have_mlflows_answer(servers: Servers) -> None:
    """1 to 50 rows of numbers, many of them at the trees' thresholds: the last bit of every prediction is MLflow's."""
    good = _good(servers)
    _repeat(servers.compare, generated_requests.plain(servers.kind, good), _share("gbr", default=100))


@pytest.mark.parametrize("servers", ["gbr-mixed"], indirect=True)
@pytest.mark.parametrize("kind", ["double", "float", "long", "integer"])
def test_every_odd_number_has_mlflows_answer(servers: Servers, kind: str) -> None:
    """Each of the numbers that parsers and columns disagree on, in a column of each type, in each format."""
    places = [place for place, column in enumerate(servers.kind.columns) if column.kind == kind]
    for odd in generated_requests.ODD_NUMBERS + generated_requests.NOT_JSON:
        row = ["1"] * len(servers.kind.columns)
        row[places[0]] = odd
        for ask in generated_requests.in_every_format(servers.kind.columns, row):
            servers.compare(ask)
