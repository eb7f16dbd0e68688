"""Statements over the tables, signatures, and the quality monitor's life."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    DataProfilingStatus,
    Monitor,
    Refresh,
    RefreshState,
)

from monitoring_unpacker import Field, MonitoringError, MonitorPlan, QualityMonitor, Schema, Tables, schema_of
from monitoring_unpacker.models import served_version
from monitoring_unpacker.monitor import granularity
from monitoring_unpacker.sources import Source
from monitoring_unpacker.tasks import monitoring

SCHEMA = Schema((Field("price", "DOUBLE"),), Field("order_id", "STRING"), Field("prediction", "DOUBLE"))


def tables(**changes: Any) -> Tables:
    """The tables of a shop."""
    arguments: dict[str, Any] = {
        "payload": "main.shop.ep-1_payload",
        "processed": "main.shop.processed",
        "quarantine": "main.shop.quarantine",
        "labels": "main.shop.orders",
        "label_column": "returned",
        "schema": SCHEMA,
    }
    return Tables(**{**arguments, **changes})


def test_f11_first_run_reads_a_snapshot_later_ones_what_is_new() -> None:
    """F11: a run reads all, or what the change feed tells, or (without a feed) what is in neither table; never all again."""
    assert " VERSION AS OF 7 " in Source(7).logged(tables())
    later = Source(7, after=3).logged(tables())
    assert "table_changes(" in later
    assert "4, 7)" in later
    assert "_change_type = 'insert'" in later
    unknown = Source(7, unknown_only=True, days="DATE'2026-01-01' AND DATE'2026-01-02'").logged(tables())
    assert "LEFT ANTI JOIN" in unknown
    assert "request_date BETWEEN DATE'2026-01-01' AND DATE'2026-01-02'" in unknown
    identities = Source(7, unknown_only=True).identities(tables())
    assert "LEFT ANTI JOIN" in identities
    assert " request," not in identities


def test_newer_signature_adds_its_columns() -> None:
    """Columns that a new model version brings are added; a changed type is refused."""
    existing = {field.name: field.type.lower() for field in tables().columns}
    assert tables().add_columns(existing) is None
    assert tables().add_columns({name: kind for name, kind in existing.items() if name != "price"}) == (
        "ALTER TABLE `main`.`shop`.`processed` ADD COLUMNS (`price` DOUBLE)"
    )
    with pytest.raises(MonitoringError, match="column price is string but the model now has DOUBLE"):
        tables().add_columns({**existing, "price": "string"})


def test_training_marker_must_not_collide() -> None:
    """The marker gets a column of its own name."""
    with pytest.raises(MonitoringError, match="training marker column price"):
        tables(marker_column="price")


def test_signature_becomes_a_schema() -> None:
    """Types follow the signature; FLOAT becomes DOUBLE, a tensor of one number a row is that number."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, TensorSpec
    from mlflow.types.schema import Schema as MlflowSchema

    np = pytest.importorskip("numpy")
    inputs = MlflowSchema([ColSpec("float", "price"), ColSpec("long", "n"), ColSpec("integer", "hour"), ColSpec("string", "order_id")])
    signature = ModelSignature(inputs=inputs, outputs=MlflowSchema([TensorSpec(np.dtype("float64"), (-1,))]))
    schema = schema_of(signature, key=Field("order_id", "STRING"))
    assert [field.type for field in schema.features] == ["DOUBLE", "BIGINT", "INT", "STRING"]
    assert [field.name for field in schema.columns] == ["price", "n", "hour", "order_id"]
    assert (schema.prediction, schema.output) == (Field("prediction", "DOUBLE"), None)


def test_granularities_are_written_as_users_write_them() -> None:
    """A day is written as "1 day"; anything else names what is allowed."""
    assert granularity("1 day") == AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY
    with pytest.raises(MonitoringError, match="5 minutes"):
        granularity("1 decade")


class FakeQuality:
    """`workspace.data_quality` for one table: a refresh ends at its second look."""

    def __init__(self, ends: RefreshState = RefreshState.MONITOR_REFRESH_STATE_SUCCESS, message: str | None = None) -> None:
        self.ends, self.message = ends, message
        self.calls: list[str] = []
        self.monitor: Monitor | None = None
        self.refreshes: list[Refresh] = []

    def get_monitor(self, _type: str, _id: str) -> Monitor:
        if self.monitor is None:
            raise NotFound("Cannot find Monitor")
        return self.monitor

    def create_monitor(self, monitor: Monitor) -> None:
        self.calls.append("create")
        config = cast("DataProfilingConfig", monitor.data_profiling_config)
        config.status = DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
        self.monitor = monitor
        self._begin()

    def update_monitor(self, _type: str, _id: str, monitor: Monitor, mask: str) -> None:
        self.calls.append(f"update {mask}")
        config = cast("DataProfilingConfig", monitor.data_profiling_config)
        config.status = DataProfilingStatus.DATA_PROFILING_STATUS_ACTIVE
        self.monitor = monitor

    def create_refresh(self, _type: str, _id: str, _refresh: Refresh) -> Refresh:
        self.calls.append("refresh")
        return self._begin()

    def list_refresh(self, _type: str, _id: str) -> list[Refresh]:
        return self.refreshes

    def get_refresh(self, _type: str, _id: str, refresh_id: int) -> Refresh:
        refresh = next(refresh for refresh in self.refreshes if refresh.refresh_id == refresh_id)
        found = Refresh(object_type="table", object_id="t", refresh_id=refresh_id, state=refresh.state, message=self.message)
        refresh.state = self.ends
        return found

    def _begin(self) -> Refresh:
        number = len(self.refreshes) + 1
        state = RefreshState.MONITOR_REFRESH_STATE_PENDING
        self.refreshes.append(Refresh(object_type="table", object_id="t", refresh_id=number, state=state, start_time_ms=number))
        return self.refreshes[-1]


def monitor_of(quality: FakeQuality) -> QualityMonitor:
    """A quality monitor whose time passes only when it sleeps."""
    clock = [0.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    workspace = SimpleNamespace(
        data_quality=quality,
        tables=SimpleNamespace(get=lambda _name: SimpleNamespace(table_id="t")),
        schemas=SimpleNamespace(get=lambda _name: SimpleNamespace(schema_id="s")),
    )
    return QualityMonitor(workspace=cast("WorkspaceClient", workspace), progress=lambda _line: None, sleep=sleep, now=lambda: clock[0])


PLAN = MonitorPlan(table="main.shop.processed", output_schema="main.shop")


def test_new_monitor_waits_for_the_refresh_it_starts() -> None:
    """Creation starts a refresh by itself; no second one is asked for."""
    quality = FakeQuality()
    monitor_of(quality).refresh(PLAN)
    assert quality.calls == ["create"]


def test_existing_monitor_is_refreshed() -> None:
    """An unchanged monitor gets a refresh and nothing else."""
    quality = FakeQuality()
    monitor_of(quality).refresh(PLAN)
    quality.calls.clear()
    monitor_of(quality).refresh(PLAN)
    assert quality.calls == ["refresh"]


def test_changed_plan_changes_the_monitor() -> None:
    """Only the fields that differ are named in the mask."""
    quality = FakeQuality()
    monitor_of(quality).refresh(PLAN)
    quality.calls.clear()
    monitor_of(quality).refresh(MonitorPlan(table=PLAN.table, output_schema=PLAN.output_schema, slices=("split",)))
    assert quality.calls == ["update data_profiling_config.slicing_exprs", "refresh"]


def test_failed_refresh_fails_with_its_message() -> None:
    """The platform's reason is in the error."""
    quality = FakeQuality(RefreshState.MONITOR_REFRESH_STATE_FAILED, "column label not found")
    with pytest.raises(MonitoringError, match="ended as MONITOR_REFRESH_STATE_FAILED: column label not found"):
        monitor_of(quality).refresh(PLAN)


def test_refresh_without_an_end_is_given_up() -> None:
    """Waiting is bounded."""
    with pytest.raises(MonitoringError, match="has not ended after 0:30:00"):
        monitor_of(FakeQuality(RefreshState.MONITOR_REFRESH_STATE_RUNNING)).refresh(PLAN)


def test_version_with_the_most_traffic_gives_the_signature() -> None:
    """While traffic is split, the larger part decides."""
    entities = [SimpleNamespace(name=f"v{n}", entity_name="main.shop.returns", entity_version=str(n)) for n in (1, 2)]
    routes = [SimpleNamespace(served_entity_name=f"v{n}", traffic_percentage=share) for n, share in ((1, 10), (2, 90))]
    config = SimpleNamespace(served_entities=entities, traffic_config=SimpleNamespace(routes=routes))
    endpoints = SimpleNamespace(get=lambda _name: SimpleNamespace(config=config))
    workspace = cast("WorkspaceClient", SimpleNamespace(serving_endpoints=endpoints))
    assert served_version(workspace, "ep", model="main.shop.returns") == "2"
    with pytest.raises(MonitoringError, match=r"serves no version of main\.shop\.other"):
        served_version(workspace, "ep", model="main.shop.other")


def test_task_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """The console script has a --help."""
    with pytest.raises(SystemExit) as ended:
        monitoring(["--help"])
    assert ended.value.code == 0
    assert "--payload-table" in capsys.readouterr().out


def test_windows_can_follow_the_event_instead_of_the_request() -> None:
    """With an event time column the processed table has `event_time`, the request's own time until the label is there."""
    timed = tables(event_time_column="happened")

    assert [field.type for field in timed.columns if field.name == "event_time"] == ["TIMESTAMP"]
    assert "COALESCE(labels.event_time, staged.request_time) AS event_time" in timed.merge_processed(versions=False)
    assert "known.event_time = COALESCE(labels.event_time, known.event_time)" in timed.merge_late_labels()
    assert "event_time" not in tables().merge_processed(versions=False)


def test_requests_of_a_deployments_checks_are_set_aside_and_counted() -> None:
    """Requests whose client_request_id begins with the prefix are neither processed nor quarantined, but counted."""
    checked = tables(set_aside="deployment-check")

    condition = "NOT STARTSWITH(COALESCE(client_request_id, ''), 'deployment-check')"
    for source in (Source(7), Source(7, after=3), Source(7, unknown_only=True)):
        assert f" AND {condition}" in source.logged(checked)
        assert f" AND {condition}" in source.identities(checked)
    assert checked.set_aside_count().endswith(f"WHERE NOT ({condition})")
    assert tables().set_aside_count().endswith("WHERE NOT (TRUE)")
