"""The console scripts `deploy` and `batch_inference`: read the arguments, choose the real clients, run the task."""

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

_SIZES = ("Small", "Medium", "Large")


def deploy(arguments: Sequence[str] | None = None) -> None:
    """Serve the validated version: verify it, move traffic to it, make it Champion; skip when it is not better."""
    parser = argparse.ArgumentParser(prog="deploy", description="Deploy a registered version behind an endpoint, safely.")
    parser.add_argument("--model-full-name", required=True, help="catalog.schema.model")
    parser.add_argument("--endpoint-name", required=True, help="the serving endpoint, created when it is missing")
    parser.add_argument("--catalog", required=True, help="catalog of the inference table")
    parser.add_argument("--schema", required=True, help="schema of the inference table")
    parser.add_argument("--workload-size", choices=_SIZES, default="Medium", help="(default: %(default)s)")
    parser.add_argument("--scale-to-zero", type=_boolean, default=True, help="true or false (default: true)")
    parser.add_argument("--validate-task", default="validate", help="key of the task that says which version (default: %(default)s)")
    parser.add_argument("--model-version", help="deploy this version instead of the one that the validate task set")
    parser.add_argument("--is-better", type=_boolean, help="true or false, instead of what the validate task set")
    parser.add_argument("--example", metavar="FILE", help="JSON body to verify with (default: the model's own input example)")
    parser.add_argument("--timeout-minutes", type=float, default=45.0, help="longest wait for one update (default: %(default)s)")
    parser.add_argument("--watch-seconds", type=float, default=5.0, help="how long to watch it under traffic (default: %(default)s)")
    parser.add_argument("--watch-checks", type=int, default=5, help="requests sent meanwhile (default: %(default)s)")
    options = parser.parse_args(arguments)

    from databricks.sdk import WorkspaceClient
    from mlflow import MlflowClient

    from serving_client.deployment import Deployer
    from serving_client.example import input_example, read_example
    from serving_client.plan import DeploymentPlan
    from serving_client.waiting import Waiting, Watch

    is_better = options.is_better if options.is_better is not None else _boolean(str(_task_value(options.validate_task, "is_better")))
    version = options.model_version or str(_task_value(options.validate_task, "model_version"))
    if not is_better:
        report(f"model {options.model_full_name}: version {version} is not better than the Champion; nothing to deploy")
        _set_task_values(deployed=False, model_version=version, endpoint_name=options.endpoint_name)
        return
    plan = DeploymentPlan(
        endpoint=options.endpoint_name,
        model=options.model_full_name,
        version=version,
        catalog=options.catalog,
        schema=options.schema,
        workload_size=options.workload_size,
        scale_to_zero=options.scale_to_zero,
    )
    example = read_example(options.example) if options.example else input_example(plan.model, plan.version)
    Deployer(
        workspace=WorkspaceClient(),
        registry=MlflowClient(registry_uri="databricks-uc"),
        progress=report,
        waiting=Waiting(timeout=timedelta(minutes=options.timeout_minutes)),
        watch=Watch(seconds=options.watch_seconds, checks=options.watch_checks),
    ).deploy(plan, example)
    _set_task_values(deployed=True, model_version=version, endpoint_name=plan.endpoint)


def batch_inference(arguments: Sequence[str] | None = None) -> None:
    """Score the rows of a table that the served version has not scored yet, through ai_query."""
    parser = argparse.ArgumentParser(prog="batch_inference", description="Score a table through its endpoint, each row once a version.")
    parser.add_argument("--endpoint-name", required=True, help="the serving endpoint")
    parser.add_argument("--model-full-name", required=True, help="catalog.schema.model that the endpoint serves")
    parser.add_argument("--source-table", required=True, help="table with the rows to score")
    parser.add_argument("--predictions-table", required=True, help="table for the predictions, created when it is missing")
    parser.add_argument("--key-column", required=True, help="column that identifies a row; it travels with the request")
    parser.add_argument("--request-columns", required=True, type=_names, metavar="A,B,…", help="columns that the model takes")
    parser.add_argument("--return-type", default="DOUBLE", help="SQL type of one prediction (default: %(default)s)")
    parser.add_argument("--retry-errors", action="store_true", help="score rows again that ended in an error")
    options = parser.parse_args(arguments)

    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession

    from serving_client.batch import score_table, served_version
    from serving_client.batch_sql import ScoringSql

    workspace = WorkspaceClient()

    def serves() -> str:
        return served_version(workspace, options.endpoint_name, model=options.model_full_name)

    sql = ScoringSql(
        endpoint=options.endpoint_name,
        version=serves(),
        source=options.source_table,
        predictions=options.predictions_table,
        key=options.key_column,
        request_columns=options.request_columns,
        return_type=options.return_type,
        retry_errors=options.retry_errors,
    )
    scored = score_table(SparkSession.builder.getOrCreate(), sql, serves=serves, progress=report)
    report(f"{sql.predictions}: {scored.rows} predictions by version {scored.version}, {scored.errors} of them errors, {scored.sent} new")
    _set_task_values(
        predictions_table=sql.predictions, rows=scored.rows, errors=scored.errors, sent=scored.sent, model_version=scored.version
    )


def report(line: str) -> None:
    """Write a line of progress that is seen at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _boolean(text: str) -> bool:
    values = {"true": True, "false": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"is {text!r}; expected true or false")
    return values[text.lower()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _task_value(task: str, key: str) -> Any:
    from databricks.sdk.runtime import dbutils

    return dbutils.jobs.taskValues.get(taskKey=task, key=key)


def _set_task_values(**values: Any) -> None:
    from databricks.sdk.runtime import dbutils

    for key, value in values.items():
        dbutils.jobs.taskValues.set(key=key, value=value)
