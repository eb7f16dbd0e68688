"""Everything a harness is made of, put together: which implementation serves which port is decided here and nowhere else."""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from harness import identity, inference_tables, isolation, jobs, serving, sql
from harness.adapters import (
    ModelEnvironment,
    MonitoredTables,
    SparkSql,
    TaskFiles,
    WatchedData,
    owner_of_job,
    tells_of_catalogs,
    variables_of,
)
from harness.belongings import CatalogAndSessions, Home, MadeByUser, Workers, spark_remote
from harness.clock import SystemClock
from harness.config import CATALOGS, USER_NAME, Layout
from harness.control.calls import Calls
from harness.control.routes import routes as control_routes
from harness.dashboard.monitor.monitored import Monitored
from harness.dashboard.monitor.routes import PREFIX as BOARDS_PREFIX
from harness.dashboard.monitor.routes import board_routes
from harness.dashboard.monitor.service import Boards
from harness.deployment_jobs import DeploymentJobs
from harness.engines.environments import Environments
from harness.engines.mlflow import MlflowServer
from harness.engines.mlflow_credentials import ArtifactCredentials
from harness.engines.mlflow_experiments import OwnedExperiments
from harness.engines.mlflow_logged_models import LoggedModels
from harness.engines.mlflow_models import model_routes
from harness.engines.mlflow_proxy import MlflowProxy
from harness.engines.mlflow_traces import trace_routes
from harness.engines.mlflow_ui import PREFIX as UI_PREFIX
from harness.engines.mlflow_ui import MlflowUi
from harness.engines.processes import Lifeline
from harness.engines.spark import SparkEngine
from harness.engines.spark_rows import SparkRows
from harness.engines.spark_statements import SparkStatements
from harness.engines.tasks import TaskRunner
from harness.engines.udf_pythons import UdfPythons
from harness.held_names import HeldNames
from harness.http import AnyRoute, application
from harness.http.direct import DirectProtocol, protocol
from harness.identity import Credentials, IdentityService, signing_key
from harness.identity.browser import BrowserSessions
from harness.identity.people_routes import people_routes
from harness.ids import RandomIds
from harness.inference_tables import InferenceTables
from harness.isolation.model import catalog_of
from harness.jobs import JobService
from harness.lookups.routes import routes as lookups_routes
from harness.monitoring import settings
from harness.monitoring.by_name_routes import by_name_routes
from harness.monitoring.dashboard_routes import dashboard_routes
from harness.monitoring.routes import routes as monitoring_routes
from harness.monitoring.service import MonitoringService
from harness.names import FullName
from harness.platform_sql.routes import routes as platform_sql_routes
from harness.platform_sql.service import PlatformSql
from harness.serving import ServingService
from harness.state import Store
from harness.unity import access
from harness.unity.access_routes import enforced, enforced_files
from harness.unity.routes import routes as unity_routes
from harness.unity.service import UnityService
from harness.unity.ui_routes import ui_routes
from harness.workspace.dbfs import DbfsService
from harness.workspace.dbfs_routes import dbfs_routes
from harness.workspace.files import FilesService
from harness.workspace.files_routes import routes as files_routes
from harness.workspace.permissions import PermissionsService
from harness.workspace.routes import routes as workspace_routes
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_routes import routes as secrets_routes
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
    statements: sql.StatementService
    tasks: TaskRunner
    jobs: JobService
    isolation: isolation.IsolationService
    credentials: Credentials
    workers: Workers
    routes: Sequence[AnyRoute]
    calls: Calls
    application: ASGIApp
    store: Store
    direct: type[DirectProtocol]
    """The class of connections on which calls to served models go the short way."""
    last_call: Callable[[], float]
    """When the last request came, on the monotonic clock."""

    def engines(self) -> Mapping[str, Callable[[Progress], None]]:
        """Return what starts side by side before the harness answers for everything."""
        return {"spark": self.spark.start, "mlflow": self.mlflow.start, "tasks": self.tasks.start}

    def start_services(self) -> None:
        """Let the services go on with what their state says: endpoints, payloads, refreshes."""
        for service in (self.workers, self.payloads, self.serving, self.monitoring, self.statements, self.jobs, self.isolation):
            service.start()

    def close(self) -> None:
        """End services, then engines, then the memory; twice without harm."""
        # model servers are forked from the parents of tasks, and end before them
        for part in (
            self.jobs,
            self.statements,
            self.monitoring,
            self.serving,
            self.tasks,
            self.payloads,
            self.spark,
            self.mlflow,
            self.store,
        ):
            part.close()


def build(
    layout: Layout, lifeline: Lifeline, *, host: str, token: str, user: str = USER_NAME, time_ns: Callable[[], int] = time.time_ns
) -> Parts:
    """Return the parts of a harness that answers `user` at `host`; nothing is started. `time_ns`: what calls to models are dated by."""
    clock, ids, store = SystemClock(), RandomIds(), Store(layout.database)
    key = signing_key(layout.signing_key)
    credentials = Credentials(clock=clock, ids=ids, key=key, host=host, personal_token=token, user=user)
    ai_query_token = credentials.ai_query_token()  # the engine calls for nothing else
    spark = SparkEngine(layout=layout, lifeline=lifeline, harness_url=host, token=ai_query_token, catalogs=CATALOGS)
    mlflow = MlflowServer(layout=layout, lifeline=lifeline)
    environments, logged_models = Environments(layout=layout), LoggedModels(url=lambda: mlflow.url)
    pythons = UdfPythons(layout)
    unity_service = UnityService(
        layout=layout,
        clock=clock,
        ids=ids,
        store=store,
        user=user,
        on_catalog_created=tells_of_catalogs(spark),
        on_models_changed=pythons.models_changed,
        logged_models=logged_models,
        deployment_jobs=DeploymentJobs(lambda: job_service),
        held_by=lambda name: held_names.of(name),  # noqa: PLW0108 - it is made further down
        run_sql=SparkSql(SparkStatements(lambda: spark.remote)),
    )
    payloads = InferenceTables(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        tables=inference_tables.WarehouseFolders(layout),
        mover=inference_tables.MoverProcess(layout.logs / "inference-tables.log"),
    )
    secrets = SecretsService(store=store, clock=clock)
    variables = variables_of(spark, credentials, host=host, token=token)
    workers = Workers(pythons, credentials, variables, user)
    tasks = TaskRunner(
        environments=environments,
        lifeline=lifeline,
        layout=layout,
        variables=variables,
    )
    serving_service = ServingService(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        lifeline=lifeline,
        models=unity_service,
        environments=ModelEnvironment(environments),
        payloads=payloads,
        secrets=secrets,
        host_url=host,
        parents=tasks.parents,
        time_ns=time_ns,
    )
    monitor_settings = settings.monitor_settings(os.environ.get(settings.SETTING, settings.EXACT))
    monitors = MonitoringService(
        clock=clock,
        ids=ids,
        store=store,
        tables=MonitoredTables(unity_service),
        expressions=SparkRows(lambda: spark.remote),
        user=user,
        lookback=monitor_settings.lookback,
        quantile_grid=monitor_settings.quantile_grid,
    )
    boards = Boards(subjects=Monitored(monitors), folder=lambda name: unity_service.table_path(FullName.parse(name)), clock=clock)
    statements = sql.StatementService(
        clock=clock, ids=ids, engine=SparkStatements(lambda: spark.remote), folder=layout.state / "statements"
    )
    files = FilesService(layout=layout, clock=clock, volumes=unity_service, secret=ids.hex32().encode())
    objects = WorkspaceService(layout=layout, clock=clock, ids=ids, store=store, user=user)
    job_service = JobService(
        clock=clock,
        ids=ids,
        store=store,
        layout=layout,
        runner=tasks,
        files=TaskFiles(objects, files),
        data=WatchedData(unity_service, files),
        host_url=host,
    )
    experiments = OwnedExperiments(url=lambda: mlflow.url, store=store, layout=layout)
    isolated = isolation.IsolationService(
        clock=clock,
        ids=ids,
        store=store,
        tokens=workers,
        belongings=[  # removed from the last to the first: what runs before what it works on
            CatalogAndSessions(unity_service, spark, payloads, monitors),
            Home(objects),
            *(MadeByUser(service) for service in (secrets, experiments, statements, serving_service, job_service)),
        ],
    )
    held_names = HeldNames(serving_service.served_models, payloads.tables, monitors.monitors, isolated.list)
    unity_answers, file_answers = (
        [*unity_routes(unity_service), *ui_routes(unity_service.registry, unity_service.rename_model)],
        files_routes(files),
    )
    if access.is_enforced(os.environ.get(access.SETTING)):
        guard = access.Access(grants=unity_service.grants, owner_of=unity_service.owner_of, administrator=user)
        unity_answers, file_answers = enforced(unity_answers, guard), enforced_files(file_answers, guard)
    owners = {"serving-endpoints": serving_service.owner, "jobs": owner_of_job(job_service)}
    proxy, ui = MlflowProxy(url=lambda: mlflow.url, on_experiment=experiments.told), MlflowUi(url=lambda: mlflow.url)
    browsers = BrowserSessions(callers=credentials, clock=clock, ids=ids, prefix=UI_PREFIX)
    readers = BrowserSessions(callers=credentials, clock=clock, ids=ids, prefix=BOARDS_PREFIX)
    calls = Calls()
    answered: list[AnyRoute] = [
        *calls.routes(),
        *control_routes(lambda: {"spark": spark.alive(), "mlflow": mlflow.alive(), "tasks": tasks.alive()}),
        *workspace_routes(objects, PermissionsService(store=store, user=user, owners=owners, tree=objects)),
        *people_routes(user),
        *lookups_routes(),
        *secrets_routes(secrets),
        *identity.routes(IdentityService(credentials=credentials, endpoints=serving_service), host),
        *file_answers,
        *dbfs_routes(DbfsService(layout=layout, ids=ids)),
        *unity_answers,
        *jobs.routes(job_service),
        *serving.routes(serving_service),
        *inference_tables.routes(payloads),
        *monitoring_routes(monitors),
        *by_name_routes(monitors),
        *dashboard_routes(monitors),
        *readers.routes(),
        *board_routes(boards),
        *sql.routes(statements, host_url=host, user=user, catalog_of=catalog_of),
        *platform_sql_routes(PlatformSql(unity_service, files)),
        *trace_routes(),
        *isolation.routes(isolated, host=host, remote_of=lambda name: spark_remote(spark.remote, name)),
        *ArtifactCredentials(ask=proxy.ask, sign=files.signed_url).routes(),
        *model_routes(proxy.ask, user),
        *browsers.routes(),
        *ui.routes(),
        *proxy.routes(),  # last: Unity Catalog's routes lie under the same prefix
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await proxy.close()
        await ui.close()
        logged_models.close()

    direct = protocol(serving.DirectInvocations(serving_service.invocations, credentials))
    called = _LastCall(browsers.guard(readers.guard(application(answered, callers=credentials, lifespan=lifespan))))
    return Parts(
        spark=spark,
        mlflow=mlflow,
        unity=unity_service,
        payloads=payloads,
        serving=serving_service,
        monitoring=monitors,
        statements=statements,
        tasks=tasks,
        jobs=job_service,
        isolation=isolated,
        credentials=credentials,
        workers=workers,
        routes=answered,
        calls=calls,
        application=called,
        store=store,
        direct=direct,
        last_call=lambda: max(called.last, serving_service.invocations.last_call),
    )


@dataclass(slots=True)
class _LastCall:
    """An ASGI application that remembers when it was last called."""

    application: ASGIApp
    last: float = field(default_factory=time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.last = time.monotonic()
        await self.application(scope, receive, send)
