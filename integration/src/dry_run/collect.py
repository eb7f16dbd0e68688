"""The figures of a report, asked of the harness from outside: the official clients, and the Delta tables themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from deltalake import DeltaTable

from dry_run.report import EndpointReport, ModelReport, MonitorReport, PayloadReport, PredictionsReport, ProcessedReport, VerdictReport
from harness.dashboard.gather import busiest_entity

METRICS = ("test_mae", "test_rmse", "test_r2")


@dataclass(frozen=True, slots=True)
class Names:
    """What the workflow calls its things (contract: the bundle's job parameters)."""

    catalog: str
    schema: str
    model_name: str
    endpoint: str

    def full(self, name: str) -> str:
        """Return the three-level name of `name` in the workflow's schema."""
        return f"{self.catalog}.{self.schema}.{name}"

    @property
    def model(self) -> str:
        """The registered model."""
        return self.full(self.model_name)

    @property
    def payload(self) -> str:
        """The endpoint's inference table."""
        return self.full(f"{self.endpoint}_payload")

    @property
    def predictions(self) -> str:
        """What batch scoring wrote."""
        return self.full("predictions")

    @property
    def processed(self) -> str:
        """The unpacked, labelled rows."""
        return self.full(f"{self.model_name}_inference_processed")

    @property
    def verdicts(self) -> str:
        """What the verdicts of all runs found."""
        return f"{self.processed}_verdicts"

    @property
    def quarantine(self) -> str:
        """The logged rows that could not be unpacked."""
        return f"{self.processed}_quarantine"


class Warehouse:
    """The harness's tables, read without Spark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, full_name: str, columns: Sequence[str] | None = None) -> pa.Table | None:
        """Return the table (its `columns`), or None when there is none."""
        folder = self._folder.joinpath(*full_name.split("."))
        if not (folder / "_delta_log").is_dir():
            return None
        return DeltaTable(folder).to_pyarrow_table(columns=list(columns) if columns is not None else None)

    def count(self, full_name: str) -> int:
        """Return how many rows the table has; 0 when there is none."""
        table = self.read(full_name)
        return 0 if table is None else int(table.num_rows)


def model_report(names: Names) -> ModelReport | None:
    """Return the newest version of the model with its run's metrics, or None when nothing was registered."""
    from mlflow.tracking import MlflowClient  # takes seconds, which bad input need not wait for

    client = MlflowClient(tracking_uri="databricks", registry_uri="databricks-uc")
    versions = client.search_model_versions(f"name='{names.model}'")
    if not versions:
        return None
    newest = max(versions, key=lambda version: int(version.version))
    metrics = client.get_run(newest.run_id).data.metrics
    aliases = dict(client.get_registered_model(names.model).aliases)
    shown = {key: float(metrics[key]) for key in METRICS if key in metrics}
    return ModelReport(names.model, str(newest.version), {alias: str(version) for alias, version in aliases.items()}, shown)


def endpoint_report(names: Names, workspace: WorkspaceClient) -> EndpointReport | None:
    """Return the endpoint's state and the version that has the traffic, or None when it was never made."""
    try:
        found = workspace.serving_endpoints.get(names.endpoint)
    except NotFound:
        return None
    entity = busiest_entity(found)
    ready = found.state.ready.value if found.state and found.state.ready else "NOT_READY"
    return EndpointReport(names.endpoint, ready, (entity.entity_version or "") if entity else "")


def predictions_report(names: Names, warehouse: Warehouse) -> PredictionsReport | None:
    """Return the counts of the predictions table, or None when there is none."""
    table = warehouse.read(names.predictions, ["error"])
    if table is None:
        return None
    return PredictionsReport(names.predictions, table.num_rows, table.num_rows - table.column("error").null_count)


def payload_report(names: Names, warehouse: Warehouse) -> PayloadReport | None:
    """Return the count of the inference table, or None when nothing was logged."""
    table = warehouse.read(names.payload, ["databricks_request_id"])
    return None if table is None else PayloadReport(names.payload, table.num_rows)


def processed_report(names: Names, warehouse: Warehouse) -> ProcessedReport | None:
    """Return the counts of the processed and the quarantine table, or None when nothing was unpacked."""
    table = warehouse.read(names.processed, ["label"])
    if table is None:
        return None
    labelled = table.num_rows - table.column("label").null_count
    return ProcessedReport(names.processed, table.num_rows, labelled, warehouse.count(names.quarantine))


def monitor_report(names: Names, warehouse: Warehouse) -> MonitorReport | None:
    """Return the monitor's counts and quality, or None when no monitor has written."""
    profile_name, drift_name = f"{names.processed}_profile_metrics", f"{names.processed}_drift_metrics"
    profile = warehouse.read(profile_name)
    if profile is None:
        return None
    quality = {name: _weighted(profile, name) for name in ("mean_absolute_error", "r2_score")}
    return MonitorReport(profile_name, drift_name, profile.num_rows, warehouse.count(drift_name), **quality)


def verdict_report(names: Names, warehouse: Warehouse, *, version: str, retrain: bool) -> VerdictReport | None:
    """Return the newest verdict on a version of the model, or None when nothing was judged yet."""
    table = warehouse.read(names.verdicts, ["model_version", "window_start", "check", "alert", "reason"])
    if table is None:
        return None
    rows = table.filter(pc.field("model_version") == version).to_pylist()
    checks = [row for row in rows if row["check"] not in ("verdict", "retrain")]
    newest = max((row for row in rows if row["check"] == "verdict"), key=lambda row: row["window_start"], default=None)
    verdict = "no_data" if newest is None else "alert" if newest["alert"] else "ok"
    reason = "" if newest is None else newest["reason"]
    return VerdictReport(names.verdicts, verdict, reason, len(checks), sum(row["alert"] for row in checks), retrain)


def _weighted(profile: pa.Table, column: str) -> float | None:
    """Return the mean of a quality column over the windows of all models without slices, weighted by their rows."""
    whole = profile.filter(
        (pc.field("column_name") == ":table")
        & (pc.field("model_version") == "*")
        & pc.field("slice_key").is_null()
        & (pc.field("log_type") == "INPUT")
        & pc.field(column).is_valid()
    )
    weights = whole.column("count").to_numpy()
    return float((whole.column(column).to_numpy() * weights).sum() / weights.sum()) if len(weights) else None
