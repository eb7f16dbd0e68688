"""Everything a harness is made of, put together: which implementation serves which port is decided here and nowhere else."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from harness import inference_tables, serving
from harness.clock import SystemClock
from harness.config import CATALOGS, USER_NAME, Layout
from harness.control.routes import routes as control_routes
from harness.engines.mlflow import MlflowServer
from harness.engines.mlflow_proxy import MlflowProxy
from harness.engines.processes import Lifeline
from harness.engines.spark import SparkEngine
from harness.http import AnyRoute, application
from harness.ids import RandomIds
from harness.inference_tables import InferenceTables
from harness.monitoring.routes import routes as monitoring_routes
from harness.monitoring.service import MonitoringService
from harness.names import FullName
from harness.serving import ServingService
from harness.state import Store
from harness.unity.routes import routes as unity_routes
from harness.unity.service import UnityService
from harness.workspace.files import FilesService
from harness.workspace.files_routes import routes as files_routes
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes as workspace_routes
from harness.workspace.service import WorkspaceService

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Parts:
    """The engines, the services and the application of one harness."""

    spark: SparkEngine
    mlflow: MlflowServer
    unity: UnityService
    payloads: InferenceTables
    serving: ServingService
    monitoring: MonitoringService
    routes: Sequence[AnyRoute]
    application: Starlette
    store: Store

    def engines(self) -> Mapping[str, Callable[[Progress], None]]:
        """Return what starts side by side before the harness answers for everything."""
        return {"spark": self.spark.start, "mlflow": self.mlflow.start}

    def start_services(self) -> None:
        """Let the services go on with what their state says: endpoints, payloads, refreshes."""
        for service in (self.payloads, self.serving, self.monitoring):
            service.start()

    def close(self) -> None:
        """End services, then engines, then the memory; twice without harm."""
        for part in (self.monitoring, self.serving, self.payloads, self.spark, self.mlflow, self.store):
            part.close()


@dataclass(frozen=True, slots=True)
class MonitoredTables:
    """Unity Catalog as monitoring sees it: names may be of tables that do not exist yet."""

    unity: UnityService

    def table_path(self, full_name: FullName) -> Path:
        """Return the folder of `full_name`."""
        return self.unity.table_path(full_name)

    def table_by_id(self, table_id: str) -> FullName | None:
        """Return the table with this id, or None."""
        return self.unity.table_by_id(table_id)

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return (catalog, schema) of this id, or None."""
        return self.unity.schema_by_id(schema_id)


def build(layout: Layout, lifeline: Lifeline, *, host: str, token: str) -> Parts:
    """Return the parts of a harness that answers at `host`; nothing is started."""
    clock, ids, store = SystemClock(), RandomIds(), Store(layout.database)
    spark = SparkEngine(layout=layout, lifeline=lifeline, harness_url=host, token=token, catalogs=CATALOGS)
    mlflow = MlflowServer(layout=layout, lifeline=lifeline)
    unity_service = UnityService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME, on_catalog_created=_tell(spark))
    payloads = InferenceTables(clock=clock, ids=ids, store=store, layout=layout, tables=inference_tables.WarehouseFolders(layout))
    serving_service = ServingService(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        lifeline=lifeline,
        models=unity_service,
        environments=TMP(),
        payloads=payloads,
        host_url=host,
    )
    monitors = MonitoringService(clock=clock, ids=ids, store=store, tables=MonitoredTables(unity_service))
    files = FilesService(layout=layout, clock=clock, volumes=unity_service, secret=ids.hex32().encode())
    objects = WorkspaceService(layout=layout, clock=clock, ids=ids, store=store, user=USER_NAME)
    proxy = MlflowProxy(url=lambda: mlflow.url)
    answered: list[AnyRoute] = [
        *control_routes(lambda: {"spark": spark.alive(), "mlflow": mlflow.alive()}),
        *workspace_routes(objects, PermissionsService(store=store, user=USER_NAME)),
        *files_routes(files),
        *unity_routes(unity_service),
        *serving.routes(serving_service),
        *inference_tables.routes(payloads),
        *monitoring_routes(monitors),
        *proxy.routes(),  # last: Unity Catalog's routes lie under the same prefix
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await proxy.close()

    return Parts(
        spark=spark,
        mlflow=mlflow,
        unity=unity_service,
        payloads=payloads,
        serving=serving_service,
        monitoring=monitors,
        routes=answered,
        application=application(answered, token=token, user=USER_NAME, lifespan=lifespan),
        store=store,
    )


def _tell(spark: SparkEngine) -> Callable[[str], None]:
    """Spark meets a catalog made while it runs; those made before it starts it finds as folders."""

    def created(name: str) -> None:
        if spark.alive():
            spark.add_catalog(name)

    return created


class TMP:
    def for_model(self, p):
        import sys

        return serving.ModelInterpreter(sys.executable)
