"""A monitored table whose deleted rows are only marked, as Spark deletes them: the rows that are left count."""

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    DataProfilingConfig,
    Monitor,
    Refresh,
    RefreshState,
    SnapshotConfig,
    TimeSeriesConfig,
)
from deltalake import DeltaTable

from harness.monitoring.ports import Tables
from harness.monitoring.service import MonitoringService
from harness.names import FullName

SCHEMA_ID = "5c4e3a00-0000-4000-8000-000000000001"
TABLE_ID = "7ab1e000-0000-4000-8000-000000000001"
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"


def mark(path: Path, first: int, second: int) -> None:
    """Mark two rows of the table's one file as deleted, by a vector in the log (Delta's protocol: deletion vectors, inline)."""
    held = struct.pack("<HH", first, second)
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, 1, 16) + held  # a roaring bitmap of one container: an array of two values
    vector = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    text = base64.b85encode(vector).decode().translate(str.maketrans(_B85, _Z85))
    table = DeltaTable(path)
    (file,) = pa.table(table.get_add_actions()).to_pylist()
    added = {
        "path": file["path"],
        "partitionValues": {},
        "size": file["size_bytes"],
        "modificationTime": 0,
        "dataChange": True,
        "deletionVector": {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(vector), "cardinality": 2},
        "stats": json.dumps({"numRecords": file["num_records"], "tightBounds": False}),
    }
    removed = {"path": file["path"], "deletionTimestamp": 0, "dataChange": True, "extendedFileMetadata": False}
    names = ["deletionVectors"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": names, "writerFeatures": names}
    info = {"timestamp": 0, "operation": "DELETE"}
    actions = [{"commitInfo": info}, {"protocol": protocol}, {"remove": removed}, {"add": added}]
    log = path / "_delta_log" / f"{table.version() + 1:020}.json"
    log.write_text("\n".join(json.dumps(action) for action in actions))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"snapshot": SnapshotConfig()}, id="snapshot"),
        pytest.param({"time_series": TimeSeriesConfig("at", [AggregationGranularity.AGGREGATION_GRANULARITY_1_DAY])}, id="time series"),
    ],
)
def test_rows_that_are_marked_as_deleted_do_not_count(
    workspace: WorkspaceClient,
    service: MonitoringService,
    tables: Tables,
    write_trips: Callable[..., None],
    wait_for_refresh: Callable[..., Refresh],
    kind: dict[str, object],
) -> None:
    """Six trips of distances 0 to 5, then the first two are deleted by a deletion vector; slices keep to their rows."""
    write_trips(days=1)
    service.start()
    config = DataProfilingConfig(output_schema_id=SCHEMA_ID, slicing_exprs=["model_version"], **kind)  # type: ignore[arg-type]  # one kind
    workspace.data_quality.create_monitor(Monitor(object_type="table", object_id=TABLE_ID, data_profiling_config=config))
    assert wait_for_refresh().state == RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    mark(tables.table_path(FullName("main", "s", "trips")), 0, 1)

    again = workspace.data_quality.create_refresh("table", TABLE_ID, Refresh(object_type="table", object_id=TABLE_ID))

    ended = wait_for_refresh(again.refresh_id)
    assert (ended.state, ended.message) == (RefreshState.MONITOR_REFRESH_STATE_SUCCESS, None)
    profile = DeltaTable(tables.table_path(FullName("main", "monitoring", "trips_profile_metrics"))).to_pyarrow_table().to_pylist()
    newest = [row for row in profile if row["logging_table_commit_version"] == 1 and row["column_name"] == "distance"]
    assert sorted((row["slice_value"] or "", row["count"], row["min"], row["max"]) for row in newest) == [
        ("", 4, 2.0, 5.0),
        ("1", 4, 2.0, 5.0),
    ]
