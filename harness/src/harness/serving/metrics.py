"""What an endpoint's calls and processes cost, as Prometheus text.

Names and kinds: docs.databricks.com, model-serving/metrics-export-serving-endpoint; the gauges count the last minute (the same metrics'
descriptions in Datadog's integration).
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.serving.model import Endpoint, ServedEntity
from harness.serving.rules import concurrency

# Assumption: the platform's buckets are not documented; these reach from what a cached tree takes to the limit of an execution (597 s).
BOUNDS_MS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 120000, 300000, 600000)
PERIOD_SECONDS = 60
_BOUNDS = tuple(round(bound * 1000) for bound in BOUNDS_MS)  # in microseconds
_CLIENT_ERRORS, _SERVER_ERRORS = 400, 500


@dataclass(frozen=True, slots=True)
class Usage:
    """What the processes of a served entity use, in percent of what they have."""

    cpu_percent: float
    memory_percent: float


UsageOf = Callable[[ServedEntity], Usage | None]


@dataclass(slots=True)
class _Calls:
    """The calls of one served entity: by second for the last minute, and by duration since the harness started."""

    seconds: deque[list[int]] = field(default_factory=lambda: deque(maxlen=PERIOD_SECONDS + 1))
    """[second, calls, those answered 4xx, those answered 5xx], oldest first; seconds without calls are left out."""
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    microseconds: int = 0


class Metrics:
    """Observes calls and tells about them. `observe` is called from one thread, the event loop's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[tuple[str, str], _Calls] = {}

    def observe(self, endpoint_name: str, served_entity_name: str, status: int, microseconds: int) -> None:
        """Count one answered call."""
        calls = self._calls.get((endpoint_name, served_entity_name))
        if calls is None:
            calls = self._calls.setdefault((endpoint_name, served_entity_name), _Calls())
        second = int(self._clock.now().timestamp())
        if not calls.seconds or calls.seconds[-1][0] != second:
            calls.seconds.append([second, 0, 0, 0])
        latest = calls.seconds[-1]
        latest[1] += 1
        if status >= _CLIENT_ERRORS:
            latest[3 if status >= _SERVER_ERRORS else 2] += 1
        calls.buckets[bisect_left(_BOUNDS, microseconds)] += 1
        calls.microseconds += microseconds

    def forget(self, endpoint_name: str) -> None:
        """Drop what was counted for an endpoint that is gone; one of the same name starts from nothing."""
        for key in [key for key in list(self._calls) if key[0] == endpoint_name]:
            del self._calls[key]

    def text(self, endpoint: Endpoint, usage: UsageOf = lambda _: None) -> str:
        """Return the metrics of what `endpoint` serves; CPU and memory only where `usage` knows them, never a zero instead."""
        entities = endpoint.config.entities if endpoint.config else ()
        used = [(entity.name, found) for entity in entities if (found := usage(entity)) is not None]
        minute = [(entity.name, self._minute(endpoint.name, entity.name)) for entity in entities]
        gauges: dict[str, tuple[str, list[tuple[str, float]]]] = {
            "cpu_usage_percentage": ("CPU used, in percent", [(name, each.cpu_percent) for name, each in used]),
            "mem_usage_percentage": ("Memory used, in percent", [(name, each.memory_percent) for name, each in used]),
            "provisioned_concurrent_requests_total": ("Provisioned concurrency", [(e.name, concurrency(e)) for e in entities]),
            "request_count_total": ("Requests in the last minute", [(name, counts[0]) for name, counts in minute]),
            "request_4xx_count_total": ("4xx errors in the last minute", [(name, counts[1]) for name, counts in minute]),
            "request_5xx_count_total": ("5xx errors in the last minute", [(name, counts[2]) for name, counts in minute]),
        }
        lines: list[str] = []
        for metric, (about, values) in gauges.items():
            lines += _family(metric, "gauge", about, [f"{metric}{_labels(endpoint.name, name)} {value}" for name, value in values])
        histograms = [line for entity in entities for line in self._histogram(endpoint.name, entity.name)]
        lines += _family("request_latency_ms", "histogram", "Latency of requests in milliseconds", histograms)
        return "".join(f"{line}\n" for line in lines)

    def _minute(self, endpoint_name: str, served_entity_name: str) -> tuple[int, int, int]:
        calls = self._calls.get((endpoint_name, served_entity_name), _Calls())
        since = int(self._clock.now().timestamp()) - PERIOD_SECONDS
        recent = [each for each in tuple(calls.seconds) if each[0] > since]
        return sum(each[1] for each in recent), sum(each[2] for each in recent), sum(each[3] for each in recent)

    def _histogram(self, endpoint_name: str, served_entity_name: str) -> Iterator[str]:
        # Assumption: as Prometheus has it, the histogram grows from the start on; the platform's period is not documented.
        calls = self._calls.get((endpoint_name, served_entity_name), _Calls())
        buckets, reached = list(calls.buckets), 0
        for bound, count in zip([*(f"{each:g}" for each in BOUNDS_MS), "+Inf"], buckets, strict=True):
            reached += count
            yield f"request_latency_ms_bucket{_labels(endpoint_name, served_entity_name, le=bound)} {reached}"
        yield f"request_latency_ms_sum{_labels(endpoint_name, served_entity_name)} {calls.microseconds / 1000}"
        yield f"request_latency_ms_count{_labels(endpoint_name, served_entity_name)} {reached}"


def _family(metric: str, kind: str, about: str, rows: list[str]) -> list[str]:
    return [f"# HELP {metric} {about}", f"# TYPE {metric} {kind}", *rows] if rows else []


def _labels(endpoint_name: str, served_entity_name: str, **more: str) -> str:
    # Assumption: the names of the labels are not documented. Names of endpoints and served entities need no escaping.
    pairs = {"endpoint_name": endpoint_name, "served_entity_name": served_entity_name, **more}
    return "{" + ",".join(f'{key}="{value}"' for key, value in pairs.items()) + "}"
