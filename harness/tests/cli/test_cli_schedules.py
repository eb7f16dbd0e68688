"""`harness schedules`, and what `harness deploy` says of jobs that start by themselves."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from databricks.sdk import WorkspaceClient

from harness.cli.schedules import live_jobs
from harness.http import OneToken, Route, application

JOBS: list[dict[str, Any]] = [
    {"job_id": 7, "name": "[dev me] daily", "starts_by": "schedule '0 0 8 * * ?' (UTC)", "next_time": "2026-11-24T08:00:00+00:00"},
    {"job_id": 8, "name": "watcher", "starts_by": "trigger on files in /Volumes/c/s/v", "next_time": None},
]
LINES = [
    "job 7 '\\[dev me] daily' starts by itself: schedule '0 0 8 * * ?' (UTC), next at 2026-11-24T08:00:00+00:00",
    "job 8 'watcher' starts by itself: trigger on files in /Volumes/c/s/v",
]


@pytest.fixture(params=["harness", "another workspace"])
def workspace(request: pytest.FixtureRequest) -> Iterator[WorkspaceClient]:
    """A workspace that is a harness, or none."""
    routes = [Route("GET", "/__harness__/schedules", lambda _: {"schedules": JOBS}, "")] if request.param == "harness" else []
    server = uvicorn.Server(uvicorn.Config(application(routes, callers=OneToken("t", "me")), port=0, log_level="warning", ws="none"))
    socket = server.config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    yield WorkspaceClient(host=f"http://127.0.0.1:{socket.getsockname()[1]}", token="t")
    server.should_exit = True
    thread.join()
    socket.close()


def test_jobs_that_start_by_themselves_are_told(workspace: WorkspaceClient, request: pytest.FixtureRequest) -> None:
    """All, or those that were deployed; where the workspace cannot say, nothing is said."""
    known = "harness" in request.node.callspec.id
    assert live_jobs(workspace) == (LINES if known else [])
    assert live_jobs(workspace, {"watcher", "other"}) == (LINES[1:] if known else [])
