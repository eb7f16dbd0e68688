"""The console script `verdict`: read the metric tables, judge, remember, say whether to train again."""

import argparse
from collections.abc import Sequence
from typing import Any

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.models import served_version
from monitoring_unpacker.tasks import report
from monitoring_unpacker.thresholds import Thresholds, read_thresholds
from monitoring_unpacker.verdict import Verdict, asked_before, judge
from monitoring_unpacker.verdict_tables import Metrics, RequestTables, VerdictTable, metric_tables


def verdict(arguments: Sequence[str] | None = None) -> None:
    """Judge the served version by its monitor; publish `verdict` (ok, alert, no_data) and `retrain` (true, false) for the next tasks."""
    options = _parser().parse_args(arguments)

    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    profile, drift = metric_tables(options.processed_table, options.output_schema)
    requests = RequestTables(processed=options.processed_table, quarantine=options.quarantine_table) if options.quarantine_table else None
    monitored = spark.catalog.tableExists(profile)
    if not monitored and (requests is None or not requests.read(spark)):
        report(f"{profile}: no data yet, the monitor has not been refreshed")
        _publish(Verdict("no_data", (), ()), retrain=False)
        return
    version = options.model_version or served_version(WorkspaceClient(), options.endpoint_name, model=options.model_full_name)
    metrics = Metrics(
        profile=profile,
        drift=drift,
        model_id_column=options.model_id_column,
        version=version,
        granularity=options.granularity,
        label=options.label_column,
        columns=tuple(options.drift_column or ()),
    )
    name = options.verdict_table or f"{options.processed_table}_verdicts"
    table = VerdictTable(name=name, version=version, granularity=options.granularity, run_id=options.run_id)
    found, retrain = judged(spark, metrics if monitored else None, table, options.thresholds, requests=requests)
    for finding in found.persistent:
        report(finding.reason)
    report(f"version {version}: {found.outcome}: {found.reason}; train again: {str(retrain).lower()}")
    _publish(found, retrain=retrain)


def judged(
    spark: Any, metrics: Metrics | None, table: VerdictTable, thresholds: Thresholds, *, requests: RequestTables | None = None
) -> tuple[Verdict, bool]:
    """Return the verdict, and whether to train again: only once for the same windows of the same version."""
    quality, drift = metrics.read(spark) if metrics else ([], [])
    found = judge(quality, drift, thresholds, requests=requests.read(spark) if requests else ())
    table.create(spark)
    retrain = found.retrain and not asked_before(found.persistent, table.requests(spark), table.version)
    table.remember(spark, found, retrain=retrain)
    return found, retrain


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verdict", description="Judge a served model by its quality monitor: ok, alert or no data.")
    parser.add_argument("--endpoint-name", required=True, help="the serving endpoint")
    parser.add_argument("--model-full-name", required=True, help="catalog.schema.model that the endpoint serves")
    parser.add_argument("--model-version", help="version to judge (default: the one with the most traffic)")
    parser.add_argument("--processed-table", required=True, help="the monitored table")
    parser.add_argument("--output-schema", required=True, help="catalog.schema of the metric tables")
    parser.add_argument("--quarantine-table", help="table of requests that could not be unpacked; with it their share is judged too")
    parser.add_argument("--run-id", help="the job's run: a task that is tried again in it gives the same answer")
    parser.add_argument("--verdict-table", help="table that remembers verdicts (default: the processed table's name and _verdicts)")
    parser.add_argument(
        "--granularity", default="1 day", metavar='"1 day"', help="windows to judge, one of the monitor's (default: %(default)s)"
    )
    parser.add_argument("--label-column", default="evaluation_label", help="the monitor's label column (default: %(default)s)")
    parser.add_argument("--model-id-column", default="model_version", help="the monitor's model-id column (default: %(default)s)")
    parser.add_argument("--drift-column", action="append", metavar="NAME", help="column whose drift counts, repeatable (default: none)")
    thresholds = f"what is worth an alert, any of {', '.join(Thresholds.__dataclass_fields__)}"
    parser.add_argument("--thresholds", type=_thresholds, default=Thresholds(), metavar="JSON", help=thresholds)
    return parser


def _thresholds(text: str) -> Thresholds:
    try:
        return read_thresholds(text)
    except MonitoringError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _publish(found: Verdict, *, retrain: bool) -> None:
    from databricks.sdk.runtime import dbutils

    alerts = sum(finding.alert for finding in found.findings)
    values = {
        "verdict": found.outcome,
        "retrain": str(retrain).lower(),
        "reason": found.reason,
        "findings": len(found.findings),
        "alerts": alerts,
    }
    for key, value in values.items():
        dbutils.jobs.taskValues.set(key=key, value=value)
