"""Metrics of an endpoint in Prometheus' text format."""

import datetime as dt
import os
import subprocess
import sys
from typing import Any, Protocol

import httpx
import msgspec
import pytest
from databricks.sdk.errors import NotFound
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.serving import ServingService, rules
from harness.serving.metrics import BOUNDS_MS, Metrics, Usage
from harness.serving.model import Config, Endpoint, ServedEntity
from harness.serving.usage import Reading, UsageMeter, read

ENTITY = {"id": "1", "entity_name": "main.ml.m", "entity_version": "1", "creator": "me", "creation_timestamp": 0}


class Workspace(Protocol):
    """What conftest.py starts."""

    serving: ServingService
    sdk: Any  # a WorkspaceClient; every field of its answers is optional to the type checker
    http: httpx.Client


def entity(**more: object) -> ServedEntity:
    return msgspec.convert({**ENTITY, "name": "m-1", **more}, ServedEntity)


def serving(*entities: ServedEntity) -> Endpoint:
    config = Config(version=1, entities=entities, routes=())
    return Endpoint(id="e", name="ep", creator="me", creation_timestamp=0, last_updated_timestamp=0, config=config)


def values(text: str) -> dict[str, float]:
    return {series: float(value) for series, _, value in (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))}


@pytest.fixture
def clock() -> FakeClock:
    """A quarter past some second."""
    return FakeClock(dt.datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=dt.UTC))


def test_calls_of_the_last_minute_are_counted(clock: FakeClock) -> None:
    """The gauges count calls and errors of the last 60 seconds; the histogram counts all."""
    metrics = Metrics(clock)
    metrics.observe("ep", "m-1", 200, 900)
    metrics.observe("ep", "m-1", 503, 40_000)
    clock.sleep(30)
    metrics.observe("ep", "m-1", 200, 1_000)
    metrics.observe("ep", "m-1", 429, 1_100)
    metrics.observe("other", "m-1", 200, 1)
    labels = '{endpoint_name="ep",served_entity_name="m-1"}'
    seen = values(metrics.text(serving(entity())))
    assert seen[f"request_count_total{labels}"] == 4
    assert (seen[f"request_4xx_count_total{labels}"], seen[f"request_5xx_count_total{labels}"]) == (1, 1)
    buckets = {
        bound: seen[f'request_latency_ms_bucket{{endpoint_name="ep",served_entity_name="m-1",le="{bound}"}}']
        for bound in ("1", "2.5", "25", "50")
    }
    assert buckets == {"1": 2, "2.5": 3, "25": 3, "50": 4}
    assert (seen[f"request_latency_ms_sum{labels}"], seen[f"request_latency_ms_count{labels}"]) == (43.0, 4)

    clock.sleep(30)
    later = values(metrics.text(serving(entity())))
    assert (later[f"request_count_total{labels}"], later[f"request_5xx_count_total{labels}"]) == (2, 0)
    assert later[f"request_latency_ms_count{labels}"] == 4


def test_endpoint_of_the_same_name_starts_from_nothing(clock: FakeClock) -> None:
    """What was counted for a deleted endpoint is not the next one's."""
    metrics = Metrics(clock)
    metrics.observe("ep", "m-1", 200, 900)
    metrics.forget("ep")
    assert values(metrics.text(serving(entity())))['request_count_total{endpoint_name="ep",served_entity_name="m-1"}'] == 0


def test_usage_is_absent_where_it_is_not_known(clock: FakeClock) -> None:
    """CPU and memory of a process that runs, nothing for one that does not."""
    endpoint = serving(entity(), entity(name="m-2"))
    text = Metrics(clock).text(endpoint, lambda each: Usage(12.5, 3.0) if each.name == "m-1" else None)
    assert {k: v for k, v in values(text).items() if "usage_percentage" in k} == {
        'cpu_usage_percentage{endpoint_name="ep",served_entity_name="m-1"}': 12.5,
        'mem_usage_percentage{endpoint_name="ep",served_entity_name="m-1"}': 3.0,
    }
    assert "usage_percentage" not in Metrics(clock).text(endpoint)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"workload_size": "Small"}, 4, id="Small"),
        pytest.param({"workload_size": "Medium"}, 16, id="Medium"),
        pytest.param({"workload_size": "Large"}, 64, id="Large"),
        pytest.param({"min_provisioned_concurrency": 4, "max_provisioned_concurrency": 12}, 12, id="set"),
        pytest.param({}, 4, id="default"),
    ],
)
def test_provisioned_concurrency_is_the_upper_end(clock: FakeClock, fields: dict[str, object], expected: int) -> None:
    """Nothing scales here: what an entity may have at most it has."""
    assert rules.concurrency(entity(**fields)) == expected
    series = 'provisioned_concurrent_requests_total{endpoint_name="ep",served_entity_name="m-1"}'
    assert values(Metrics(clock).text(serving(entity(**fields))))[series] == expected


@given(st.lists(st.integers(0, 10**9), max_size=50))
def test_histogram_has_every_call_once(durations: list[int]) -> None:
    """Each bucket holds the calls that took at most its bound; the last holds all."""
    metrics = Metrics(FakeClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))
    for duration in durations:
        metrics.observe("ep", "m-1", 200, duration)
    seen = values(metrics.text(serving(entity())))
    for bound in BOUNDS_MS:
        series = f'request_latency_ms_bucket{{endpoint_name="ep",served_entity_name="m-1",le="{bound:g}"}}'
        assert seen[series] == sum(duration <= bound * 1000 for duration in durations)
    assert seen['request_latency_ms_bucket{endpoint_name="ep",served_entity_name="m-1",le="+Inf"}'] == len(durations)


def test_processor_is_measured_between_looks() -> None:
    """First since the process's start, then since the last look; a look at once repeats the last."""
    readings = iter([Reading(10, 5, 1 << 30), Reading(10.5, 5.5, 1 << 30), Reading(20, 6, 2 << 30), Reading(5, 5, 0), None])
    meter = UsageMeter(lambda _: next(readings), processors=2)
    seen = [meter.usage(7, 4 << 30) for _ in range(5)]
    assert seen == [Usage(25.0, 25.0), Usage(25.0, 25.0), Usage(5.0, 50.0), Usage(50.0, 0.0), None]


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")
def test_own_process_can_be_read() -> None:
    """This one has run and has memory; one that is gone has no reading."""
    own = read(os.getpid())
    assert own is not None
    assert own.age_seconds > 0
    assert own.cpu_seconds > 0
    assert own.resident_bytes > 1 << 20
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert read(ended.pid) is None


@pytest.mark.platform
def test_metrics_of_a_served_model(workspace: Workspace) -> None:
    """Calls and errors are counted, the process is measured, the concurrency is what the size has."""
    entities = [ServedEntityInput(entity_name="main.ml.obeys", entity_version="1", workload_size="Medium")]
    config = EndpointCoreConfigInput(name="x", served_entities=entities)
    workspace.sdk.serving_endpoints.create_and_wait("scraped", config=config, timeout=dt.timedelta(seconds=120))
    for word in ("fine", "raise", "fine"):
        workspace.http.post("/serving-endpoints/scraped/invocations", json={"dataframe_records": [{"do": word}]})
    text = workspace.sdk.serving_endpoints.export_metrics("scraped").contents.read().decode()
    labels = '{endpoint_name="scraped",served_entity_name="obeys-1"}'
    seen = values(text)
    assert (seen[f"request_count_total{labels}"], seen[f"request_4xx_count_total{labels}"]) == (3, 1)
    assert (seen[f"request_5xx_count_total{labels}"], seen[f"request_latency_ms_count{labels}"]) == (0, 3)
    assert seen[f"provisioned_concurrent_requests_total{labels}"] == 16
    assert 0 < seen[f"mem_usage_percentage{labels}"] < 100
    assert 0 <= seen[f"cpu_usage_percentage{labels}"] <= 100


@pytest.mark.platform
def test_export_metrics_is_prometheus_text(workspace: Workspace) -> None:
    """The official client reads plain text; each metric says its type; an endpoint without configuration has none."""
    workspace.sdk.serving_endpoints.create("measured")
    answer = workspace.http.get("/api/2.0/serving-endpoints/measured/metrics")
    assert (answer.status_code, answer.text) == (200, "")
    assert answer.headers["content-type"].startswith("text/plain")
    assert workspace.sdk.serving_endpoints.export_metrics("measured").contents.read() == b""
    with pytest.raises(NotFound, match="Endpoint with name 'nope' does not exist"):
        workspace.sdk.serving_endpoints.export_metrics("nope")


def test_each_metric_says_its_type(clock: FakeClock) -> None:
    """Six gauges and one histogram, as documented."""
    text = Metrics(clock).text(serving(entity()), lambda _: Usage(1.0, 1.0))
    types = dict(line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    assert types == {
        "cpu_usage_percentage": "gauge",
        "mem_usage_percentage": "gauge",
        "provisioned_concurrent_requests_total": "gauge",
        "request_4xx_count_total": "gauge",
        "request_5xx_count_total": "gauge",
        "request_count_total": "gauge",
        "request_latency_ms": "histogram",
    }
