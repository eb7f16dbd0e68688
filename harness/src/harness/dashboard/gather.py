"""A `Page` of what a running workspace holds, asked over its own API and read from its tables: no name of anybody's model is known here."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.dataquality import DataProfilingConfig, InferenceProblemType
from databricks.sdk.service.jobs import BaseRun
from databricks.sdk.service.serving import ServedEntityOutput, ServingEndpointDetailed
from deltalake import DeltaTable

from harness.dashboard import collect
from harness.dashboard.model import DataTable, Endpoint, Job, Model, Page, Payload

NOT_EMULATED = (
    "Permissions are recorded, not enforced.",
    "Schedules and triggers fire only while the harness is up; what they missed is not made up for.",
    "A workload size limits calls and memory, not cores: one process serves each version.",
    "Inference-table rows arrive within seconds; on the platform it can take an hour.",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What the workspace cannot know of a run: its title, where the data came from, when it began and how long it took."""

    title: str
    source: str
    started: dt.datetime
    seconds: float


def gather(workspace: WorkspaceClient, warehouse: Path, told: Told, *, run_ids: Sequence[int] | None = None) -> Page:
    """Return the page of the runs `run_ids` (None: each job's newest), the newest endpoint and the newest monitor."""
    tables = _Tables(warehouse)
    endpoint = _endpoint(workspace)
    entity = busiest_entity(endpoint)
    profiling = _profiling(workspace, tables)
    processed = tables.read(profiling.monitored_table_name if profiling else None, "unpacked and labelled")
    profile = tables.read(profiling.profile_metrics_table_name if profiling else None, "profile metrics")
    drift = tables.read(profiling.drift_metrics_table_name if profiling else None, "drift metrics")
    log = profiling.inference_log if profiling else None
    # Pictures of errors are for numbers; of a classification the page shows drift and counts.
    numeric = log is not None and log.problem_type == InferenceProblemType.INFERENCE_PROBLEM_TYPE_REGRESSION
    return Page(
        title=told.title,
        source=told.source,
        started=told.started,
        seconds=told.seconds,
        jobs=_jobs(workspace, run_ids),
        model=_model(entity),
        endpoint=_shown(endpoint, entity),
        density=collect.density(processed, prediction=log.prediction_column, label=log.label_column)
        if processed is not None and log and log.label_column and numeric
        else None,
        days=collect.days(profile, model_id_column=log.model_id_column) if profile is not None and log and numeric else (),
        drift=collect.drift(drift, model_id_column=log.model_id_column) if drift is not None and log else (),
        payload=_payload(endpoint, tables),
        tables=tuple(tables.seen),
        monitor=profiling.monitored_table_name if profiling else None,
        not_emulated=NOT_EMULATED,
    )


class _Tables:
    """Delta tables by name; each one read is remembered for the page's list."""

    def __init__(self, warehouse: Path) -> None:
        self._warehouse = warehouse
        self.seen: list[DataTable] = []

    def has(self, full_name: str | None) -> bool:
        return full_name is not None and (self._folder(full_name) / "_delta_log").is_dir()

    def read(self, full_name: str | None, note: str) -> pa.Table | None:
        if full_name is None or not self.has(full_name):
            return None
        table = DeltaTable(self._folder(full_name)).to_pyarrow_table()
        self.seen.append(DataTable(full_name, table.num_rows, note))
        return table

    def _folder(self, full_name: str) -> Path:
        return self._warehouse.joinpath(*full_name.split("."))


def _jobs(workspace: WorkspaceClient, run_ids: Sequence[int] | None) -> tuple[Job, ...]:
    wanted = _newest_of_each_job(workspace) if run_ids is None else run_ids
    runs = sorted((workspace.jobs.get_run(run_id) for run_id in wanted), key=lambda run: run.start_time or 0)
    return collect.jobs([run.as_dict() for run in runs])


def _newest_of_each_job(workspace: WorkspaceClient) -> list[int]:
    newest: dict[int, BaseRun] = {}
    for run in workspace.jobs.list_runs():
        kept = newest.get(run.job_id or 0)
        if kept is None or (run.start_time or 0) > (kept.start_time or 0):
            newest[run.job_id or 0] = run
    return [run.run_id for run in newest.values() if run.run_id is not None]


def _endpoint(workspace: WorkspaceClient) -> ServingEndpointDetailed | None:
    every = sorted(workspace.serving_endpoints.list(), key=lambda endpoint: endpoint.last_updated_timestamp or 0)
    return workspace.serving_endpoints.get(every[-1].name or "") if every else None


def busiest_entity(endpoint: ServingEndpointDetailed | None) -> ServedEntityOutput | None:
    """Return the served entity with the most traffic; None while nothing is served."""
    if endpoint is None or endpoint.config is None:
        return None
    entities = {entity.name: entity for entity in endpoint.config.served_entities or []}
    traffic = (endpoint.config.traffic_config.routes if endpoint.config.traffic_config else None) or []
    shares = {route.served_entity_name or route.served_model_name: route.traffic_percentage or 0 for route in traffic}
    return max(entities.values(), key=lambda entity: shares.get(entity.name, 0), default=None)


def _shown(endpoint: ServingEndpointDetailed | None, entity: ServedEntityOutput | None) -> Endpoint | None:
    if endpoint is None:
        return None
    ready = endpoint.state.ready.value if endpoint.state and endpoint.state.ready else "NOT_READY"
    return Endpoint(endpoint.name or "", ready, entity.entity_version if entity else None)


def _model(entity: ServedEntityOutput | None) -> Model | None:
    """Return the newest version of the model that the endpoint serves, with its run's metrics and the gate's decision."""
    from mlflow.tracking import MlflowClient

    if entity is None or entity.entity_name is None:
        return None
    client = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
    versions = client.search_model_versions(f"name='{entity.entity_name}'")
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version.version))
    run = client.get_run(newest.run_id) if newest.run_id else None
    aliases = client.get_registered_model(entity.entity_name).aliases
    return Model(
        name=entity.entity_name,
        version=str(newest.version),
        aliases={str(alias): str(version) for alias, version in aliases.items()},
        metrics={str(name): float(value) for name, value in (run.data.metrics if run else {}).items() if not name.startswith("gate_")},
        gate=run.data.tags.get("gate_reason") if run else None,
    )


def _payload(endpoint: ServingEndpointDetailed | None, tables: _Tables) -> Payload | None:
    gateway = endpoint.ai_gateway.inference_table_config if endpoint and endpoint.ai_gateway else None
    if gateway is None or not gateway.enabled:
        return None
    name = f"{gateway.catalog_name}.{gateway.schema_name}.{gateway.table_name_prefix}_payload"
    table = tables.read(name, "inference table")
    return collect.payload(name, table) if table is not None else Payload(name, 0)


def _profiling(workspace: WorkspaceClient, tables: _Tables) -> DataProfilingConfig | None:
    """Return the configuration of the last monitor by name whose table is still there."""
    try:
        found = [monitor.data_profiling_config for monitor in workspace.data_quality.list_monitor()]
    except NotFound:
        return None
    there = (config for config in reversed(found) if config is not None and tables.has(config.monitored_table_name))
    return next(there, None)
