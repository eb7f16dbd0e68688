"""`w.quality_monitors`: the older routes, by the names of tables, over the same monitors."""

import datetime as dt
import math
import time
from collections.abc import Callable

import msgspec
import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue, NotFound, ResourceConflict
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorCronSchedulePauseStatus,
    MonitorDataClassificationConfig,
    MonitorDestination,
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorInfoStatus,
    MonitorNotifications,
    MonitorRefreshInfo,
    MonitorRefreshInfoState,
    MonitorRefreshInfoTrigger,
)
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from harness.monitoring import by_name
from harness.monitoring.model import Document, Monitor
from harness.monitoring.ports import Tables
from harness.monitoring.service import MonitoringService
from harness.monitoring.windows import GRANULARITIES
from harness.names import FullName

TABLE, OUTPUT, ASSETS = "main.s.trips", "main.monitoring", "/Workspace/Users/ann@example.com/monitors"
ENDED = {MonitorRefreshInfoState.SUCCESS, MonitorRefreshInfoState.FAILED, MonitorRefreshInfoState.CANCELED}


def log(*granularities: str) -> MonitorInferenceLog:
    return MonitorInferenceLog(
        problem_type=MonitorInferenceLogProblemType.PROBLEM_TYPE_REGRESSION,
        timestamp_col="at",
        granularities=list(granularities) or ["1 day"],
        prediction_col="prediction",
        model_id_col="model_version",
        label_col="fare",
    )


def ended(workspace: WorkspaceClient) -> MonitorRefreshInfo:
    deadline = time.monotonic() + 10
    while (found := (workspace.quality_monitors.list_refreshes(TABLE).refreshes or [])[0]).state not in ENDED:
        assert time.monotonic() < deadline, "the refresh did not end in time"
        time.sleep(0.02)
    return found


def test_a_monitor_by_name_fills_the_same_tables(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables, write_trips: Callable[..., None]
) -> None:
    """Created PENDING, first refresh by itself; the newer routes show the same monitor."""
    write_trips()
    service.start()

    made = workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log("1 day", "2 weeks"))
    refresh = ended(workspace)

    assert (made.table_name, made.status, made.monitor_version) == (TABLE, MonitorInfoStatus.MONITOR_STATUS_PENDING, 0)
    assert (made.output_schema_name, made.assets_dir) == (OUTPUT, ASSETS)
    assert made.inference_log == log("1 day", "2 weeks")
    assert (refresh.state, refresh.trigger) == (MonitorRefreshInfoState.SUCCESS, MonitorRefreshInfoTrigger.MANUAL)
    found = workspace.quality_monitors.get(TABLE)
    assert found.status == MonitorInfoStatus.MONITOR_STATUS_ACTIVE
    assert found.profile_metrics_table_name == "main.monitoring.trips_profile_metrics"
    assert tables.table_path(FullName.parse(found.drift_metrics_table_name)).exists()
    (newer,) = workspace.data_quality.list_monitor()
    assert newer.data_profiling_config is not None
    assert newer.data_profiling_config.inference_log is not None
    assert newer.data_profiling_config.inference_log.label_column == "fare"


def test_an_update_replaces_all_but_the_assets(workspace: WorkspaceClient) -> None:
    """What an update leaves out is gone, as PUT has it; the folder of assets stays."""
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log(), slicing_exprs=["model_version"])

    changed = workspace.quality_monitors.update(TABLE, OUTPUT, inference_log=log("1 hour"))

    assert (changed.monitor_version, changed.assets_dir, changed.slicing_exprs) == (1, ASSETS, None)
    assert changed.inference_log == log("1 hour")


def test_refreshes_are_listed_newest_first_and_at_most_twenty_five(workspace: WorkspaceClient) -> None:
    """As callers that read the first one expect."""
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log())
    asked = [workspace.quality_monitors.run_refresh(TABLE).refresh_id for _ in range(27)]

    listed = workspace.quality_monitors.list_refreshes(TABLE).refreshes or []

    assert len(listed) == 25
    assert [each.start_time_ms for each in listed] == sorted((each.start_time_ms or 0 for each in listed), reverse=True)
    assert {each.refresh_id for each in listed} <= set(asked)


def test_a_pending_refresh_is_cancelled_by_name(workspace: WorkspaceClient) -> None:
    """The answer is empty; the refresh says it."""
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log())
    asked = workspace.quality_monitors.run_refresh(TABLE).refresh_id
    assert asked is not None

    workspace.quality_monitors.cancel_refresh(TABLE, asked)

    assert workspace.quality_monitors.get_refresh(TABLE, asked).state == MonitorRefreshInfoState.CANCELED


def test_a_deleted_monitor_is_not_there(workspace: WorkspaceClient) -> None:
    """In the words seen on a live workspace."""
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log())

    workspace.quality_monitors.delete("MAIN.S.Trips")

    with pytest.raises(NotFound, match=r"Cannot find Monitor with ID: /metastores:[-0-9a-f]+/tables:[-0-9a-f]+/"):
        workspace.quality_monitors.get(TABLE)


def test_one_monitor_a_table_whichever_routes_made_it(workspace: WorkspaceClient) -> None:
    """The second is a conflict whose message callers look into."""
    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log())

    with pytest.raises(ResourceConflict, match="already exist"):
        workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=log())


def test_everything_a_monitor_is_given_is_shown_again(workspace: WorkspaceClient) -> None:
    """Word for word: a bundle or a Terraform file compares them."""
    given = {
        "slicing_exprs": ["distance > 6"],
        "baseline_table_name": "main.s.train",
        "notifications": MonitorNotifications(on_failure=MonitorDestination(email_addresses=["ann@example.com"])),
        "schedule": MonitorCronSchedule("0 0 8 * * ?", "PST", pause_status=MonitorCronSchedulePauseStatus.UNPAUSED),
        "inference_log": log("30 minutes"),
    }

    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, **given)

    found = workspace.quality_monitors.get(TABLE)
    assert {name: getattr(found, name) for name in given} == given


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param({"table_name": "main.s.none"}, NotFound, "main.s.none.* does not exist", id="no table"),
        pytest.param({"table_name": "trips"}, InvalidParameterValue, "expected catalog_name.schema_name.table_name", id="short name"),
        pytest.param({"output_schema_name": "main.none"}, NotFound, "Schema 'main.none' does not exist", id="no schema"),
        pytest.param(
            {"output_schema_name": "main"}, InvalidParameterValue, "output_schema_name 'main': expected catalog.schema", id="short"
        ),
        pytest.param({"assets_dir": ""}, InvalidParameterValue, "assets_dir is required", id="no assets"),
        pytest.param(
            {"inference_log": log("1 fortnight")}, InvalidParameterValue, "'1 fortnight' is not known; expected one of 5 min", id="width"
        ),
        pytest.param({"inference_log": None}, InvalidParameterValue, "exactly one of snapshot, time_series, inference_log", id="no kind"),
        pytest.param(
            {"latest_monitor_failure_msg": "x"}, InvalidParameterValue, "latest_monitor_failure_msg: the platform sets", id="output"
        ),
        pytest.param(
            {"data_classification_config": MonitorDataClassificationConfig(enabled=True)},
            DatabricksError,
            "data_classification_config.enabled is not emulated",
            id="classification",
        ),
    ],
)
def test_a_bad_request_is_refused_and_leaves_no_monitor(
    workspace: WorkspaceClient, change: dict[str, object], error: type[Exception], message: str
) -> None:
    """With the field, and what was expected."""
    request = {"table_name": TABLE, "output_schema_name": OUTPUT, "assets_dir": ASSETS, "inference_log": log()} | change

    with pytest.raises(error, match=message):
        workspace.quality_monitors.create(**request)

    assert list(workspace.data_quality.list_monitor()) == []


def test_probabilities_are_judged_where_the_older_words_name_them(
    workspace: WorkspaceClient, service: MonitoringService, tables: Tables
) -> None:
    """A map from class to probability, written and read as Delta; loss and areas beside the scores."""
    rows = {
        "at": pa.array([dt.datetime(2026, 1, 5, tzinfo=dt.UTC)] * 2),
        "model_version": ["1", "1"],
        "prediction": ["a", "a"],
        "fare": ["a", "b"],
        "chances": pa.array([[("a", 0.8), ("b", 0.2)], [("a", 0.5), ("b", 0.5)]], pa.map_(pa.string(), pa.float64())),
    }
    write_deltalake(tables.table_path(FullName.parse(TABLE)), pa.table(rows))
    service.start()
    classes = log()
    classes.problem_type = MonitorInferenceLogProblemType.PROBLEM_TYPE_CLASSIFICATION
    classes.prediction_proba_col = "chances"

    workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=classes)

    refresh = ended(workspace)
    assert refresh.state == MonitorRefreshInfoState.SUCCESS, refresh.message
    profile = DeltaTable(tables.table_path(FullName.parse(f"{OUTPUT}.trips_profile_metrics"))).to_pyarrow_table().to_pylist()
    (row,) = [row for row in profile if row["column_name"] == ":table" and row["model_version"] == "*"]
    assert row["log_loss"] == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    assert dict(row["roc_auc_score"]["one_vs_all"]) == {"a": 1.0, "b": 1.0}


def test_probabilities_go_with_classes(workspace: WorkspaceClient) -> None:
    """A regression has none."""
    errors = log()
    errors.prediction_proba_col = "chances"

    with pytest.raises(InvalidParameterValue, match="probabilities goes with the problem type classification"):
        workspace.quality_monitors.create(TABLE, OUTPUT, ASSETS, inference_log=errors)


TEXT = st.text(min_size=1, max_size=8)
COLUMNS = st.fixed_dictionaries(
    {
        "timestamp_col": TEXT,
        "granularities": st.lists(st.sampled_from([each.label for each in GRANULARITIES.values()]), min_size=1, unique=True),
    }
)
LOGS = st.builds(
    lambda columns, names: columns | names,
    COLUMNS,
    st.fixed_dictionaries(
        {
            "problem_type": st.sampled_from(["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]),
            "prediction_col": TEXT,
            "model_id_col": TEXT,
        },
        optional={"label_col": TEXT, "prediction_proba_col": TEXT},
    ),
)
METRICS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "definition": TEXT,
        "input_columns": st.lists(TEXT, max_size=3),
        "output_data_type": TEXT,
        "type": st.sampled_from([f"CUSTOM_METRIC_TYPE_{kind}" for kind in ("AGGREGATE", "DERIVED", "DRIFT")]),
    }
)
SCHEDULES = st.fixed_dictionaries(
    {"quartz_cron_expression": TEXT, "timezone_id": TEXT}, optional={"pause_status": st.sampled_from(["PAUSED", "UNPAUSED"])}
)
MAILS = st.fixed_dictionaries({"on_failure": st.fixed_dictionaries({"email_addresses": st.lists(TEXT, min_size=1)})})
REQUESTS = st.fixed_dictionaries(
    {"output_schema_name": st.just(OUTPUT), "assets_dir": TEXT},
    optional={
        "snapshot": st.just({}),
        "time_series": COLUMNS,
        "inference_log": LOGS,
        "baseline_table_name": TEXT,
        "slicing_exprs": st.lists(TEXT, min_size=1),
        "custom_metrics": st.lists(METRICS, min_size=1),
        "notifications": MAILS,
        "schedule": SCHEDULES,
    },
)


@given(REQUESTS)
def test_the_older_words_survive_the_newer_ones(body: Document) -> None:
    """Law: what is kept in the newer API's words is shown, in the older ones, as it was given."""
    config = by_name.config_of(msgspec.convert(body, by_name.MonitorRequest), "id")
    monitor = Monitor(
        table_id="t", table=TABLE, output_schema=OUTPUT, config=config, version=0, status="DATA_PROFILING_STATUS_PENDING", created_ms=0
    )

    found = by_name.shown(monitor)

    assert {name: found.get(name) for name in body} == body
