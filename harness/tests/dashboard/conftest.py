"""Metric tables of a monitor, made as the monitor makes them; and a real browser, where there is one: chromium, over DevTools."""

import base64
import datetime as dt
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from websockets.sync.client import ClientConnection, connect

from harness.clock import FakeClock
from harness.dashboard.monitor.service import Boards
from harness.dashboard.monitor.subject import Refreshed, Subject
from harness.monitoring.compute import Source, compute
from harness.monitoring.model import InferenceLogConfig
from harness.monitoring.sample import Sample

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
_MOST_BYTES = 64 * 1024**2
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOSTILE = "</title></script>\"'><img src=x onerror=alert(1)>{{7*7}}"


class Tab:
    """One page of a browser: shown in a size and a colour scheme, asked by JavaScript."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requested: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, object]:
        """Return what the browser answers, keeping what it tells meanwhile."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._told(message)

    def _told(self, message: dict[str, object]) -> None:
        told = json.loads(json.dumps(message))
        if told.get("method") == "Network.requestWillBeSent":
            self.requested.append(told["params"]["request"]["url"])
        if told.get("method") == "Log.entryAdded":
            self.complaints.append(told["params"]["entry"]["text"])
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(told["params"]["exceptionDetails"]))

    def show(self, address: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Load a page and wait until it is there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.requested.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=address)
        deadline = time.monotonic() + 60
        while self.ask("document.readyState + location.href") != f"complete{address}":
            assert time.monotonic() < deadline, f"{address} did not load"
            time.sleep(0.05)

    def ask(self, expression: str) -> object:
        """Return the value of a JavaScript expression, waited for if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        result = answer["result"]
        assert isinstance(result, dict)
        return result.get("value")

    def picture(self) -> bytes:
        """Return the whole page as a PNG."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        return base64.b64decode(str(answer["data"]))


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """One page of a headless Chromium; the test is skipped where none is installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    profile = tmp_path_factory.mktemp("chromium")
    command = [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_page(profile, process), max_size=_MOST_BYTES) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, from npm; the test is skipped where it is not installed."""
    named = os.environ.get("HARNESS_AXE")
    npm = shutil.which("npm")
    places = [Path(named)] if named else []
    if npm is not None and not named:
        found = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False, timeout=60).stdout.strip()
        places.append(Path(found) / "axe-core" / "axe.min.js")
    source = next((place for place in places if place.is_file()), None)
    if source is None:
        pytest.skip("needs axe-core: npm install -g axe-core, or HARNESS_AXE=…/axe.min.js")
    return source.read_text()


def _page(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address of the page that the browser began with."""
    import httpx

    told, deadline = profile / "DevToolsActivePort", time.monotonic() + 60
    while not told.is_file() or len(told.read_text().split()) < 2:
        assert process.poll() is None, "Chromium ended at once"
        assert time.monotonic() < deadline, "Chromium did not start"
        time.sleep(0.05)
    port = told.read_text().split()[0]
    pages = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
    return str(next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"))


def log(label: str | None, problem: str, *widths: str) -> InferenceLogConfig:
    return InferenceLogConfig(
        problem_type=f"INFERENCE_PROBLEM_TYPE_{problem}",  # type: ignore[arg-type]  # one of two
        timestamp_column="at",
        granularities=tuple(f"AGGREGATION_GRANULARITY_{width}" for width in widths),  # type: ignore[arg-type,misc]
        prediction_column="prediction",
        model_id_column="model_version",
        label_column=label,
    )


def trips(days: int, *, seed: int = 3, classes: bool = False) -> pa.Table:
    """Sixty rows a day; in the last third distances grow, zones shift and predictions for one zone go wrong; the last day has no labels."""
    rng, per = np.random.default_rng(seed), 60
    day = np.repeat(np.arange(days), per)
    late = (day >= days * 2 // 3) & (days > 3)
    distance = rng.lognormal(1.0, 0.5, len(day)) * np.where(late, 1.5, 1.0)
    zone = np.where(late & (rng.random(len(day)) < 0.4), "airport", rng.choice(["north", "south"], len(day)))
    fare = 3 + 2.5 * distance + rng.normal(0, 1, len(day))
    micros = (np.datetime64("2026-01-05", "us").astype(np.int64) + day * 86_400_000_000) + np.tile(np.arange(per), days) * 1_000_000
    unlabelled = (day == days - 1) & (days > 1)
    rows: dict[str, object] = {
        "at": pa.array(micros, pa.timestamp("us", tz="UTC")),
        "model_version": pa.array(np.where(day % 2 == 0, "1", "2")),
        "distance": pa.array(distance, mask=rng.random(len(day)) < 0.05),
        "zone": pa.array(zone),
    }
    if classes:
        kinds = np.array(["high", "low", "middle"])[rng.integers(0, 3, len(day))]
        guesses = np.where(rng.random(len(day)) < np.where(late, 0.5, 0.9), kinds, "low")
        return pa.table(rows | {"label": pa.array(kinds, mask=unlabelled), "prediction": pa.array(guesses)})
    wrong = np.where(late & (zone == "airport"), 6.0, 0.0)
    return pa.table(rows | {"fare": pa.array(fare, mask=unlabelled), "prediction": fare + rng.normal(0, 1, len(day)) + wrong})


def metrics(folder: Path, name: str, source: Source) -> None:
    made = compute(source)
    for kind, rows in (("profile", made.profile), ("drift", made.drift)):
        path = folder / "main" / "m" / f"{name}_{kind}_metrics"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_deltalake(path, rows)


def subject(name: str, **changes: object) -> Subject:
    whole = Subject(
        table=f"main.s.{name}",
        profile_table=f"main.m.{name}_profile_metrics",
        drift_table=f"main.m.{name}_drift_metrics",
        kind="inference log",
        granularities=("1 day", "1 week"),
        problem="regression",
        timestamp="at",
        prediction="prediction",
        label="fare",
        model_id="model_version",
        dashboard_id="0123456789abcdef0123456789abcdef",
        refreshes=(Refreshed("SUCCESS", "MANUAL", NOW, NOW),),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # by name


class Known:
    """The monitors that a test knows of."""

    def __init__(self, *subjects: Subject) -> None:
        self.subjects = list(subjects)

    def all(self) -> Sequence[Subject]:
        return self.subjects


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metric tables of several monitors, as refreshes write them."""
    folder = tmp_path_factory.mktemp("warehouse")
    rows, base, one, kinds = trips(12), trips(3, seed=4), trips(1), trips(9, classes=True)
    regression = log("fare", "REGRESSION", "1_DAY", "1_WEEK")
    metrics(
        folder, "trips",
        Source(
            sample=Sample("main.s.trips", rows, [rows["zone"]]), version=1, config=regression, monitor_version=1,
            baseline=Sample("main.s.base", base.drop_columns(["at"]), [base["zone"]]), slicing=("zone",),
        ),
    )  # fmt: skip
    metrics(folder, "one", Source(sample=Sample("main.s.one", one), version=1, config=regression, monitor_version=0))
    classes = log("label", "CLASSIFICATION", "1_DAY")
    metrics(folder, "kinds", Source(sample=Sample("main.s.kinds", kinds), version=1, config=classes, monitor_version=0))
    snapshot = Source(sample=Sample("main.s.still", one), version=1, config=None, monitor_version=0, instant=1_772_000_000_000_000)
    metrics(folder, "still", snapshot)
    hostile = one.rename_columns([HOSTILE if name == "distance" else name for name in one.column_names])
    zones = pa.chunked_array([pa.array([HOSTILE] * one.num_rows)])
    hostile = hostile.set_column(hostile.column_names.index("zone"), "zone", zones)
    plain = Source(sample=Sample("x", hostile, [zones]), version=1, config=regression, monitor_version=0, slicing=(HOSTILE,))
    metrics(folder, "hostile", plain)
    return folder


@pytest.fixture(scope="session")
def make_boards(warehouse: Path) -> Callable[..., Boards]:
    """Draw the dashboards of some monitors."""

    def make(*subjects: Subject) -> Boards:
        return Boards(subjects=Known(*subjects), folder=lambda name: warehouse.joinpath(*name.split(".")), clock=FakeClock(NOW))

    return make


@pytest.fixture(scope="session")
def make_subject() -> Callable[..., Subject]:
    """A monitor by the name of its table, with what differs from a regression that has succeeded."""
    return subject


@pytest.fixture(scope="session")
def hostile() -> str:
    """A name that would be markup, script and template if it were not escaped."""
    return HOSTILE
