"""A workspace per test: nothing of it is seen elsewhere, nothing of it is left, and many of them leave no growth."""

import io
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors import NotFound, PermissionDenied, Unauthenticated
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.compute import Environment
from databricks.sdk.service.jobs import JobEnvironment, SparkPythonTask, SubmitTask
from databricks.sdk.service.workspace import ImportFormat
from pyspark.errors import AnalysisException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf

from harness.cli.connection import Connection
from harness.config import Layout
from harness.testing import Platform, Workspace, platform

pytestmark = pytest.mark.platform

MANY, WARM = 25, 5


@pytest.fixture(scope="module")
def running(connection: Connection) -> Iterator[Platform]:
    """The session's harness, found by the environment."""
    with platform() as found:
        assert found.host == connection.host
        yield found


@pytest.fixture
def one(running: Platform) -> Iterator[Workspace]:
    """A workspace."""
    with running.workspace() as made:
        yield made


@pytest.fixture
def other(running: Platform) -> Iterator[Workspace]:
    """Another one at the same time."""
    with running.workspace() as made:
        yield made


def scalar(session: Any, query: str) -> Any:
    """Return the one value that `query` gives."""
    return session.sql(query).collect()[0][0]


def test_sessions_begin_in_their_own_catalog(one: Workspace, other: Workspace) -> None:
    """Names of one and two levels are completed by it, in Spark and in statements."""
    one.spark.sql("CREATE TABLE t AS SELECT 1 AS x")
    other.spark.sql("CREATE TABLE default.t AS SELECT 2 AS x")

    assert scalar(one.spark, "SELECT current_catalog() || '.' || current_schema()") == f"{one.catalog}.default"
    assert (one.spark.catalog.currentCatalog(), other.spark.catalog.currentCatalog()) == (one.catalog, other.catalog)
    assert (scalar(one.spark, "SELECT x FROM t"), other.spark.table(f"{other.catalog}.default.t").collect()[0].x) == (1, 2)
    warehouse = next(iter(one.client.warehouses.list())).id or ""
    statement = one.client.statement_execution.execute_statement("SELECT x FROM t", warehouse)
    assert statement.result is not None
    assert statement.result.data_array == [["1"]]


def test_temporary_views_and_settings_are_of_one_session(one: Workspace, other: Workspace) -> None:
    """What one session sets, another does not see."""
    one.spark.range(3).createTempView("mine")
    one.spark.conf.set("spark.sql.shuffle.partitions", "7")

    assert scalar(one.spark, "SELECT count(*) FROM mine") == 3
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        other.spark.sql("SELECT * FROM mine").collect()
    assert other.spark.conf.get("spark.sql.shuffle.partitions") == "2"


def test_token_is_of_a_user_of_its_own(one: Workspace, other: Workspace) -> None:
    """The user has a folder, and an email address as the platform's users have."""
    assert one.client.current_user.me().user_name == one.user == f"{one.catalog}@workspace.harness.local"
    assert one.user != other.user
    assert one.token not in repr(one)
    assert one.client.workspace.get_status(one.home).path == one.home


def test_functions_in_spark_are_whoever_sent_them(running: Platform, spark: SparkSession, workspace: WorkspaceClient) -> None:
    """Workers get the credentials of the session's user and of nobody else; those of a workspace end with it."""

    def told(ids: pd.Series) -> pd.Series:
        users = WorkspaceClient(config=Config(product="udf")).current_user.me().user_name
        return pd.Series([f"{users} {os.getppid()}"] * len(ids))

    def of(session: Any) -> tuple[str, int]:
        user, daemon = session.range(1).select(pandas_udf(told, "string")("id")).collect()[0][0].split()
        return user, int(daemon)

    with running.workspace() as made:
        user, daemon = of(made.spark)
        assert user == made.user
        assert of(spark)[0] == workspace.current_user.me().user_name
        assert of(made.spark) == (made.user, daemon)
    _wait(lambda: [] if Path(f"/proc/{daemon}").exists() else ["gone"])


def test_deleted_workspace_knows_its_token_no_more(running: Platform) -> None:
    """REST and Spark refuse it, also over a connection and a session that were there before."""
    with running.workspace() as gone:
        client = WorkspaceClient(host=gone.host, token=gone.token, auth_type="pat")
        session = SparkSession.builder.remote(gone.spark_remote).create()
        assert client.current_user.me().user_name == gone.user
        assert scalar(session, "SELECT 1") == 1

    with pytest.raises(Unauthenticated, match="Credential was not sent"):
        client.current_user.me()
    calls = httpx.post(f"{gone.host}/serving-endpoints/any/invocations", headers={"authorization": f"Bearer {gone.token}"})
    assert calls.status_code == 401
    for late in (session, SparkSession.builder.remote(gone.spark_remote).create()):
        with pytest.raises(SparkConnectGrpcException, match="has been deleted"):
            late.sql("SELECT 1").collect()
        late.client.close()


def test_user_of_a_workspace_makes_and_deletes_none(one: Workspace) -> None:
    """Only the harness's own callers do."""
    with pytest.raises(PermissionDenied, match="isolated workspace"):
        one.client.api_client.do("POST", "/__harness__/workspaces", body={})
    with pytest.raises(PermissionDenied, match="isolated workspace"):
        one.client.api_client.do("DELETE", f"/__harness__/workspaces/{one.workspace_id}")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param({"process": -1}, "process -1: expected the id of a process", id="no process"),
        pytest.param({"process": "x"}, "Expected `int`", id="no number"),
        pytest.param({"name": "mine"}, "unknown field `name`", id="unknown field"),
    ],
)
def test_bad_request_makes_no_workspace(running: Platform, body: dict[str, object], told: str) -> None:
    """It is answered 400 with what was expected."""
    before = running.control.get("/__harness__/workspaces").json()
    answer = running.control.post("/__harness__/workspaces", json=body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert told in answer.json()["message"]
    assert running.control.get("/__harness__/workspaces").json() == before


def test_unknown_workspace_cannot_be_deleted(running: Platform) -> None:
    """It is a 404 that says so."""
    answer = running.control.delete("/__harness__/workspaces/test_0123456789ab")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_workspace_of_a_process_that_has_ended_goes(running: Platform) -> None:
    """A test run that was killed leaves its workspaces to the next one, which removes them."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = running.control.post("/__harness__/workspaces", json={"process": ended.pid}).json()

    with running.workspace():
        assert running.control.get(f"/__harness__/workspaces/{left['workspace_id']}").status_code == 404


def test_listings_show_what_is_ones_own(one: Workspace, other: Workspace) -> None:
    """Of jobs, runs, scopes, experiments and catalogs; what the workspace has for all, such as `samples`, too."""
    ids = [each.client.jobs.create(name="nightly", tasks=[]).job_id for each in (one, other)]
    for number, each in enumerate((one, other)):
        each.client.secrets.create_scope(f"isolated-{number}")
        each.client.experiments.create_experiment(f"{each.home}/e{number}")

    assert [job.job_id for job in one.client.jobs.list()] == ids[:1]
    assert [job.job_id for job in other.client.jobs.list(name="nightly")] == ids[1:]
    assert [scope.name for scope in other.client.secrets.list_scopes()] == ["isolated-1"]
    assert [found.name for found in one.client.experiments.search_experiments(max_results=9)] == [f"{one.home}/e0"]
    assert [found.name for found in one.client.experiments.search_experiments(filter="name LIKE '%e1'", max_results=9)] == []
    catalogs = {catalog.name for catalog in one.client.catalogs.list()}
    assert {"samples", one.catalog} <= catalogs
    assert other.catalog not in catalogs


SLEEPS = """
import os, time
from databricks.sdk import WorkspaceClient
from databricks.sdk.runtime import spark
found = [WorkspaceClient().current_user.me().user_name, spark.sql("SELECT current_catalog()").collect()[0][0], str(os.getpid())]
with open("/Workspace{home}/told.new", "w") as file:
    file.write(" ".join(found))
os.rename("/Workspace{home}/told.new", "/Workspace{home}/told")
time.sleep(600)
"""


def _wait(condition: Callable[[], list[str]], seconds: float = 120.0) -> list[str]:
    """Return what `condition` finds in the end."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def _told(one: Workspace) -> list[str]:
    path = f"{one.home}/told"
    found = [each.path for each in one.client.workspace.list(one.home)]
    return one.client.workspace.download(path).read().decode().split() if path in found else []


def test_run_belongs_to_its_workspace_and_ends_with_it(running: Platform) -> None:
    """Its task is the workspace's user, its session begins in the workspace's catalog, and its process does not outlive them."""
    with running.workspace() as one:
        script = f"/Workspace{one.home}/sleeps.py"
        one.client.workspace.upload(script, SLEEPS.format(home=one.home).encode(), format=ImportFormat.RAW)
        task = SubmitTask("sleeps", environment_key="e", spark_python_task=SparkPythonTask(script))
        environment = JobEnvironment("e", Environment(environment_version="4"))
        run_id = one.client.jobs.submit(tasks=[task], environments=[environment], idempotency_token="again").response.run_id
        user, catalog, process = _wait(lambda: _told(one))
        assert (user, catalog) == (one.user, one.catalog)
        assert [run.run_id for run in one.client.jobs.list_runs()] == [run_id]
        os.kill(int(process), 0)

    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
    common = WorkspaceClient(host=running.host, token=running.token, auth_type="pat")
    assert run_id not in [run.run_id for run in common.jobs.list_runs()]
    with running.workspace() as next_one:  # in which the same token of idempotency begins a run of its own
        next_one.client.workspace.upload(f"/Workspace{next_one.home}/p.py", b"pass", format=ImportFormat.RAW)
        task = SubmitTask("p", environment_key="e", spark_python_task=SparkPythonTask(f"/Workspace{next_one.home}/p.py"))
        begun = next_one.client.jobs.submit(tasks=[task], environments=[environment], idempotency_token="again").response.run_id
        assert begun != run_id


def test_everything_made_with_the_token_goes(running: Platform, layout: Layout) -> None:
    """Also what was made outside of the workspace's own catalog and folder."""
    with running.workspace() as one:
        w = one.client
        w.jobs.create(name="j", tasks=[])
        w.secrets.create_scope("shared-name")
        w.secrets.put_secret("shared-name", "key", string_value="value")
        w.catalogs.create("isolated_extra")
        w.schemas.create("isolated", "main")
        w.volumes.create(one.catalog, "default", "files", VolumeType.MANAGED)
        w.files.upload(f"/Volumes/{one.catalog}/default/files/a.txt", io.BytesIO(b"a"))
        w.workspace.mkdirs(f"{one.home}/deep")
        experiment = w.experiments.create_experiment("/Shared/isolated-experiment").experiment_id or ""
        one.spark.sql("CREATE TABLE main.isolated.t AS SELECT 1 AS x")

    common = WorkspaceClient(host=running.host, token=running.token, auth_type="pat")
    assert "isolated_extra" not in [each.name for each in common.catalogs.list()]
    assert "isolated" not in [each.name for each in common.schemas.list("main")]
    assert "shared-name" not in [each.name for each in common.secrets.list_scopes()]
    assert [job.creator_user_name for job in common.jobs.list() if job.creator_user_name == one.user] == []
    with pytest.raises(NotFound):
        common.workspace.get_status(one.home)
    with pytest.raises(NotFound, match="Could not find experiment"):
        common.experiments.get_by_name("/Shared/isolated-experiment")
    left = [path for path in layout.state.rglob("*") if one.workspace_id in path.name]
    assert left == []
    assert not (layout.mlflow / "artifacts" / experiment).exists()
    with running.workspace() as again:  # the names are free
        again.client.experiments.create_experiment("/Shared/isolated-experiment")
        again.client.secrets.create_scope("shared-name")
        again.client.catalogs.create("isolated_extra")
        again.spark.sql("CREATE TABLE isolated_extra.default.t AS SELECT 3 AS x")
        assert scalar(again.spark, "SELECT x FROM isolated_extra.default.t") == 3


def test_workspaces_are_used_side_by_side(running: Platform) -> None:
    """Two threads, each with a workspace, do the same with the same names."""
    together = threading.Barrier(2)

    def work(number: int) -> list[int]:
        with running.workspace() as one:
            together.wait(60)
            one.spark.sql("CREATE TABLE numbers (x INT)")
            one.spark.range(1).createTempView("v")
            one.client.experiments.create_experiment(f"{one.home}/e")
            for _ in range(3):
                one.spark.sql("INSERT INTO numbers SELECT :number", {"number": number})
            return [row.x for row in one.spark.sql("SELECT x FROM numbers").collect()]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, (1, 2))) == [[1, 1, 1], [2, 2, 2]]


def test_many_workspaces_leave_nothing(running: Platform, layout: Layout, connection: Connection) -> None:
    """Descriptors, sessions, documents and folders are after many as after a few."""
    seen = []
    for number in range(WARM + MANY):
        with running.workspace() as one:
            one.spark.sql("CREATE TABLE t AS SELECT 1 AS x" if number % 5 == 0 else "SELECT 1").collect()
            one.client.current_user.me()
        if number >= WARM - 1:
            seen.append(_held(layout, connection))

    first, last = seen[0], seen[-1]
    assert {name: last[name] for name in first if last[name] > first[name] + 3} == {}


def _held(layout: Layout, connection: Connection) -> Counter[str]:
    engine = _engine(layout)
    return Counter(
        {
            "descriptors of this process": len(list(Path("/proc/self/fd").iterdir())),
            "descriptors of Spark": len(list(Path(f"/proc/{engine}/fd").iterdir())),
            "threads of this process": threading.active_count(),
            "documents": len(httpx.get(f"{connection.host}/__harness__/workspaces", headers=_bearer(connection)).json()["workspaces"]),
            "catalogs": len(list(layout.warehouse.iterdir())),
            "homes": len(list((layout.files / "Workspace" / "Users").iterdir())),
        }
    )


def _bearer(connection: Connection) -> dict[str, str]:
    return {"authorization": f"Bearer {connection.token}"}


def _engine(layout: Layout) -> str:
    """Return the process of Spark's JVM."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        if b"PythonGatewayServer" in command and str(layout.state).encode() in command:
            return process.name
    raise AssertionError("Spark's JVM does not run")
