"""Serving alone, on real model processes: its application on a port of its own, models saved as files instead of a registry."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from databricks.sdk import WorkspaceClient

from harness.clock import SystemClock
from harness.config import USER_NAME, Layout
from harness.engines.processes import GUEST, Lifeline
from harness.engines.warm_parent import WarmParents
from harness.errors import ApiError
from harness.http import OneToken, application
from harness.http.direct import protocol
from harness.ids import RandomIds
from harness.inference_tables import InferenceTables, WarehouseFolders
from harness.inference_tables import routes as inference_table_routes
from harness.serving import DirectInvocations, ModelInterpreter, ProcessSettings, ServingService, routes
from harness.state import Store
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import permission_routes

TOKEN = "t0ken"
sys.path.append(str(GUEST))  # model servers have it on their PYTHONPATH; tests compare their code with MLflow's and with ours

ADDS = """
import numpy as np, mlflow
class Adds(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).to_numpy() {more}
mlflow.models.set_model(Adds())
"""
# Does what its input says: for everything a model can do wrong.
OBEYS = """
import os, sys, time, mlflow, pandas as pd
class Obeys(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        word = model_input["do"].iloc[0]
        if word == "raise": raise RuntimeError("no")
        if word == "raise mlflow": raise mlflow.MlflowException("boom")
        if word == "exit": sys.exit(3)
        if word == "crash": os._exit(9)
        if word == "print": print("hello from the model")
        if word.startswith("sleep"): time.sleep(float(word.split()[1]))
        if word == "series": return pd.Series([1.5])
        if word == "frame": return pd.DataFrame({"p": [1, 2], "q": ["x", "caf\\u00e9"]})
        if word == "nan": return [float("nan")]
        if word == "variable": return [os.environ.get("GREETING")]
        if word == "pid": return [os.getpid()]
        if word == "unencodable": return [object()]
        return [word]
mlflow.models.set_model(Obeys())
"""
BROKEN = """
import mlflow, no_such_module_here
mlflow.models.set_model(mlflow.pyfunc.PythonModel())
"""


@dataclass
class Models:
    """A registry made of a dict."""

    folders: dict[tuple[str, str], Path] = field(default_factory=dict)

    def model_files(self, name: str, version: str) -> Path:
        """Return the folder, or 404."""
        if (name, version) not in self.folders:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Model version '{name}' version {version} does not exist")
        return self.folders[name, version]


class Secrets:
    """One secret: `greetings/polite`."""

    def value(self, scope: str, key: str) -> str:
        """Return it, or 404."""
        if (scope, key) != ("greetings", "polite"):
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Secret does not exist with scope: {scope} and key: {key}")
        return "good evening"


class OwnInterpreter:
    """Every model runs on the interpreter of the tests."""

    def for_model(self, model_folder: Path) -> ModelInterpreter:
        """Return it."""
        assert (model_folder / "MLmodel").exists()
        return ModelInterpreter(sys.executable)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """`main.ml.adds` 1 and 2 (2 adds 100), `main.ml.obeys` 1, `main.ml.broken` 1, `main.ml.linear` 1 (scikit-learn)."""
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from sklearn.linear_model import LinearRegression

    folder = tmp_path_factory.mktemp("models")
    found: dict[tuple[str, str], Path] = {}

    def save(name: str, version: str, code: str, signature: ModelSignature | None = None) -> None:
        source = folder / f"{name}_{version}.py"
        source.write_text(code)
        path = found[f"main.ml.{name}", version] = folder / f"{name}-{version}"
        mlflow.pyfunc.save_model(str(path), python_model=str(source), signature=signature, pip_requirements=["mlflow-skinny"])

    schema = Schema([ColSpec("double", "a"), ColSpec("long", "b")])
    params = ParamSchema([ParamSpec("temperature", "double", 0.5)])
    signature = ModelSignature(schema, Schema([ColSpec("double")]), params)
    save("adds", "1", ADDS.format(more=""), signature)
    save("adds", "2", ADDS.format(more="+ 100"), signature)
    save("obeys", "1", OBEYS)
    path = found["main.ml.broken", "1"] = folder / "broken"
    mlflow.pyfunc.save_model(str(path), python_model=str(folder / "obeys_1.py"), pip_requirements=["mlflow-skinny"])
    next(path.rglob("obeys_1.py")).write_text(BROKEN)
    frame = pd.DataFrame({"x": [0.0, 1.0, 2.0]})
    linear = found["main.ml.linear", "1"] = folder / "linear"
    fitted = LinearRegression().fit(frame, [1.0, 3.0, 5.0])
    options = {"serialization_format": "cloudpickle", "pip_requirements": ["scikit-learn"]}
    mlflow.sklearn.save_model(fitted, str(linear), signature=ModelSignature(Schema([ColSpec("double", "x")])), **options)
    return Models(found)


@dataclass
class Workspace:
    """A running harness with nothing but serving."""

    host: str
    layout: Layout
    serving: ServingService
    tables: InferenceTables
    sdk: WorkspaceClient
    http: httpx.Client

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a payload table, everything acknowledged included, in order of their time."""
        from deltalake import DeltaTable

        self.tables.flush()
        rows: list[dict[str, Any]] = DeltaTable(self.layout.warehouse.joinpath(*table.split("."))).to_pyarrow_table().to_pylist()
        return sorted(rows, key=lambda row: str(row["request_time"]))


StartWorkspace = Callable[..., Workspace]


@pytest.fixture(scope="session")
def start_workspace(models: Models) -> Iterator[StartWorkspace]:
    """Start a harness of serving alone on a state folder; starting on the same folder again ends the one before, as a restart does."""
    running: dict[Path, Callable[[], None]] = {}

    def start(state: Path, processes: ProcessSettings | None = None) -> Workspace:
        running.pop(state, lambda: None)()
        workspace, stop = _start(state, models, processes)
        running[state] = stop
        return workspace

    yield start
    for stop in running.values():
        stop()


@pytest.fixture(scope="session")
def workspace(start_workspace: StartWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One harness for all tests."""
    return start_workspace(tmp_path_factory.mktemp("state"))


@pytest.fixture
def mlflow_deployments(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return MLflow's own client of serving endpoints."""
    from mlflow.deployments import get_deploy_client

    monkeypatch.setenv("DATABRICKS_HOST", workspace.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    return get_deploy_client("databricks")


def _start(state: Path, models: Models, processes: ProcessSettings | None = None) -> tuple[Workspace, Callable[[], None]]:
    layout = Layout(state).make()
    (layout.warehouse / "main" / "logs").mkdir(parents=True, exist_ok=True)
    store, lifeline, clock, ids = Store(layout.database), Lifeline(), SystemClock(), RandomIds()
    server = uvicorn.Server(uvicorn.Config(lambda *_: None, port=0, log_level="warning", ws="none"))
    socket = server.config.bind_socket()
    host = f"http://127.0.0.1:{socket.getsockname()[1]}"
    tables = InferenceTables(clock=clock, ids=ids, store=store, layout=layout, tables=WarehouseFolders(layout))
    parents = WarmParents(lifeline=lifeline, log=layout.logs / "parents.log")
    serving = ServingService(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        lifeline=lifeline,
        models=models,
        environments=OwnInterpreter(),
        payloads=tables,
        secrets=Secrets(),
        host_url=host,
        parents=parents,
        processes=processes,
    )
    permissions = permission_routes(PermissionsService(store=store, user=USER_NAME, owners={"serving-endpoints": serving.owner}))
    callers = OneToken(TOKEN, "me@example.com")
    server.config.app = application([*permissions, *routes(serving), *inference_table_routes(tables)], callers=callers)
    server.config.http = protocol(DirectInvocations(serving.invocations, callers))
    tables.start()
    serving.start()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    http = httpx.Client(base_url=host, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)

    def stop() -> None:
        http.close()
        server.should_exit = True
        thread.join(10)
        serving.close()
        parents.close()
        tables.close()
        lifeline.close()
        store.close()
        socket.close()

    return Workspace(host, layout, serving, tables, WorkspaceClient(host=host, token=TOKEN), http), stop
