"""The console script `monitoring`: read the arguments, choose the real clients, run the task."""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from monitoring_unpacker.errors import MonitoringError

if TYPE_CHECKING:
    from monitoring_unpacker.tables import Tables

_KEY_TYPES = {"string": "STRING", "int": "INT", "bigint": "BIGINT"}


def monitoring(arguments: Sequence[str] | None = None) -> None:
    """Unpack the inference table, attach labels, refresh the quality monitor."""
    options = _parser().parse_args(arguments)

    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession

    from monitoring_unpacker.models import served_version, version_schema
    from monitoring_unpacker.monitor import MonitorPlan, QualityMonitor
    from monitoring_unpacker.process import Counts, process

    workspace, spark = WorkspaceClient(), SparkSession.builder.getOrCreate()
    if not spark.catalog.tableExists(options.payload_table):
        report(f"{options.payload_table}: no data yet, the platform creates it with the first logged request")
        _set_task_values(monitored=False, **dataclasses.asdict(Counts()))
        return
    version = options.model_version or served_version(workspace, options.endpoint_name, model=options.model_full_name, spark=spark)
    tables = _tables(spark, options, version)
    typed_by = functools.partial(version_schema, key=tables.schema.key)
    counts = process(spark, tables, progress=report, schema_of_version=typed_by)
    monitored = counts.processed_rows > 0
    if monitored:
        plan = MonitorPlan(
            table=tables.processed,
            output_schema=options.output_schema,
            label_column="evaluation_label" if tables.marker_column else "label",
            timestamp_column="event_time" if tables.event_time_column else "request_time",
            granularities=tuple(options.monitor_granularity or ("1 day",)),
            slices=tuple(options.slice or ()),
            baseline_table=_existing(spark, options.baseline_table),
            problem_type=options.problem_type,
        )
        config = QualityMonitor(workspace=workspace, progress=report).refresh(plan)
        report(f"metrics: {config.profile_metrics_table_name}, {config.drift_metrics_table_name}")
    else:
        report(f"{tables.processed}: no data yet, nothing to monitor")
    _set_task_values(monitored=monitored, **dataclasses.asdict(counts))


def _existing(spark: Any, baseline: str | None) -> str | None:
    """Return the baseline table's name, or None while there is no such table: a first run must not fail for want of it."""
    if baseline is None or spark.catalog.tableExists(baseline):
        return baseline
    report(f"{baseline}: no baseline yet, windows are compared with each other only")
    return None


def report(line: str) -> None:
    """Write a line of progress that is seen at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monitoring", description="Unpack an inference table, attach labels, refresh the quality monitor."
    )
    parser.add_argument("--endpoint-name", required=True, help="the serving endpoint")
    parser.add_argument("--model-full-name", required=True, help="catalog.schema.model that the endpoint serves")
    parser.add_argument("--payload-table", required=True, help="the endpoint's inference table")
    parser.add_argument("--processed-table", required=True, help="table for the unpacked rows, created when it is missing")
    parser.add_argument("--quarantine-table", required=True, help="table for requests that cannot be unpacked, created when it is missing")
    parser.add_argument("--label-table", required=True, help="table with the ground truth")
    parser.add_argument("--key-column", required=True, help="column that identifies a row, in requests and in the label table")
    parser.add_argument("--label-column", required=True, help="the label table's column with the ground truth")
    parser.add_argument("--training-marker-column", help="the label table's column that says which rows the model was trained on")
    parser.add_argument("--training-value", default="train", help="its value for such rows (default: %(default)s)")
    parser.add_argument(
        "--event-time-column",
        help="the label table's column that says when the event happened; the monitor's windows follow it (default: request time)",
    )
    parser.add_argument(
        "--set-aside", metavar="PREFIX", help="leave out, and count, requests whose client_request_id begins so (a deployment's checks)"
    )
    parser.add_argument("--output-schema", required=True, help="catalog.schema for the metric tables")
    parser.add_argument(
        "--monitor-granularity", action="append", metavar='"1 day"', help='window of the monitor, repeatable (default: "1 day")'
    )
    parser.add_argument("--slice", action="append", metavar="SQL", help="slicing expression of the monitor, repeatable")
    parser.add_argument("--baseline-table", help="table to compare distributions with; left out while it does not exist")
    problems = ("regression", "classification")
    parser.add_argument("--problem-type", choices=problems, default=problems[0], help="what quality means (default: %(default)s)")
    parser.add_argument("--model-version", help="version whose signature types the rows (default: the one with the most traffic)")
    return parser


def _tables(spark: Any, options: argparse.Namespace, version: str) -> "Tables":
    from monitoring_unpacker.models import version_schema
    from monitoring_unpacker.schema import Field
    from monitoring_unpacker.tables import Tables

    types = {field.name: field.dataType.simpleString() for field in spark.table(options.label_table).schema.fields}
    wanted = (options.key_column, options.label_column, options.training_marker_column, options.event_time_column)
    missing = [name for name in wanted if name is not None and name not in types]
    if missing:
        raise MonitoringError(f"table {options.label_table}: no column {', '.join(missing)}; it has {', '.join(types)}")
    key_type = types[options.key_column]
    if key_type not in _KEY_TYPES:
        raise MonitoringError(
            f"table {options.label_table}: key {options.key_column} is {key_type}, expected one of {', '.join(_KEY_TYPES)}"
        )
    return Tables(
        payload=options.payload_table,
        processed=options.processed_table,
        quarantine=options.quarantine_table,
        labels=options.label_table,
        label_column=options.label_column,
        label_type=types[options.label_column].upper(),
        marker_column=options.training_marker_column,
        training_value=options.training_value,
        event_time_column=options.event_time_column,
        set_aside=options.set_aside,
        schema=version_schema(options.model_full_name, version, key=Field(options.key_column, _KEY_TYPES[key_type])),
    )


def _set_task_values(**values: Any) -> None:
    from databricks.sdk.runtime import dbutils

    for key, value in values.items():
        dbutils.jobs.taskValues.set(key=key, value=value)
