"""Load from wrk, and single answers, for the serving benchmark."""

import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import local
from urllib.parse import urlsplit

# Sends the bodies of a file, one a line, in turn. Requests are made before the run; reading the answers is left to `Target.answers`,
# because a `response` function would make wrk parse every answer in Lua. wrk 4.1 has corrected the percentiles when it calls `done`: a
# request that stalled counts as all that would have been sent meanwhile.
SCRIPT = """
local requests, turn = {}, 0
init = function(arguments)
  wrk.headers["Content-Type"] = "application/json"
  if os.getenv("AUTHORIZATION") then wrk.headers["Authorization"] = os.getenv("AUTHORIZATION") end
  for line in io.lines(os.getenv("BODIES")) do requests[#requests + 1] = wrk.format("POST", nil, nil, line) end
end
request = function()
  turn = turn % #requests + 1
  return requests[turn]
end
done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("RESULT requests=%d seconds=%.6f p50=%.3f p99=%.3f max=%.3f status=%d socket=%d\\n",
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""
MISSING = "there is no `wrk` on PATH; it makes the load. Debian and Ubuntu: apt-get install wrk"


class BenchmarkError(Exception):
    """What was measured is worth nothing, and why."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw in one run; latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    max: float
    left: float = 0.0
    """Seconds that writing the inference table went on for after the run."""
    cpu_seconds: float = 0.0
    """Processor time of the server during the run, the writing included."""

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def written_per_second(self) -> float:
        """Requests a second, when the time counts until the last of them is in the inference table."""
        return self.requests / (self.seconds + self.left)

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the server a request: the figure that other work on the machine disturbs least."""
        return self.cpu_seconds / self.requests * 1e6


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go, and what they carry beside their body."""

    url: str
    authorization: str | None = None

    def load(self, bodies: Iterable[bytes], *, connections: int, seconds: float) -> Load:
        """Keep `connections` busy for `seconds`; `BenchmarkError` when any answer was not 2xx or any connection failed."""
        with tempfile.TemporaryDirectory() as folder:
            script, lines = Path(folder) / "post.lua", Path(folder) / "bodies"
            script.write_text(SCRIPT)
            lines.write_bytes(b"".join(body + b"\n" for body in bodies))
            variables = {**os.environ, "BODIES": str(lines), **({"AUTHORIZATION": self.authorization} if self.authorization else {})}
            command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s", "-s", str(script), self.url]
            done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        return _read(done.stdout + done.stderr, self.url)

    def answers(self, bodies: Iterable[bytes], *, connections: int = 1) -> list[bytes]:
        """Return the body of every answer, in order; `BenchmarkError` at the first that is not 200."""
        address, kept = urlsplit(self.url), local()
        headers: Mapping[str, str] = {
            "Content-Type": "application/json",
            **({"Authorization": self.authorization} if self.authorization else {}),
        }

        def ask(body: bytes) -> bytes:
            if not hasattr(kept, "connection"):
                kept.connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            try:
                kept.connection.request("POST", address.path, body, headers)
                answer = kept.connection.getresponse()
                content: bytes = answer.read()
            except (OSError, http.client.HTTPException) as error:  # an answer that never comes too: wrk does not tell of those
                raise BenchmarkError(f"{self.url}: {error!r} to {body[:200]!r}") from error
            if answer.status != 200:
                raise BenchmarkError(f"{self.url}: {answer.status} {content[:300]!r} to {body[:200]!r}")
            return content

        with ThreadPoolExecutor(connections) as pool:
            return list(pool.map(ask, bodies))


def require_wrk() -> None:
    """Exit with a sentence when wrk is not there."""
    if shutil.which("wrk") is None:
        sys.exit(MISSING)


def _read(text: str, url: str) -> Load:
    found = re.search(r"RESULT (.*)", text)
    if found is None:
        raise BenchmarkError(f"{url}: wrk failed: {text[-500:]}")
    told = {key: float(value) for key, value in (part.split("=") for part in found[1].split())}
    if told["status"] or told["socket"]:
        raise BenchmarkError(
            f"{url}: {told['status']:.0f} answers were not 2xx, {told['socket']:.0f} socket errors, of {told['requests']:.0f}"
        )
    if not told["requests"]:
        raise BenchmarkError(f"{url}: not one answer in {told['seconds']:.1f} s")
    return Load(int(told["requests"]), told["seconds"], told["p50"], told["p99"], told["max"])
