"""What a team takes to its own workspace: only databricks-sdk, pyspark, mlflow and the two wheels are asked.

`prepare` makes tables and model, `run` deploys, scores, asks, unpacks and monitors; a second `run` changes nothing.
"""

# ruff: noqa: S608 - the names in the statements are the caller's own
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import ticket_model as model
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest

from monitoring_unpacker import (
    Counts,
    Field,
    Metrics,
    MonitorPlan,
    QualityMonitor,
    Tables,
    Thresholds,
    Verdict,
    judge,
    metric_tables,
    process,
    version_schema,
)
from serving_client import Deployer, DeploymentPlan, Scored, ScoringSql, Watch, input_example, query, score, score_table, served_version

KEY = "ticket_id"
FIRST = 2**53 + 1  # the first ticket: whole numbers that a double could not tell apart
START = datetime(2026, 3, 2, tzinfo=timezone.utc)  # noqa: UP017 - any Python
MALFORMED = "malformed-on-purpose"
PRODUCTS = ("billing", "login", "export")


@dataclass(frozen=True)
class Names:
    """Where everything lies."""

    schema: str
    endpoint: str

    @property
    def model(self) -> str:
        """The registered model."""
        return f"{self.schema}.ticket_priority"

    def table(self, name: str) -> str:
        """Return the full name of a table."""
        return f"{self.schema}.{name}"


@dataclass(frozen=True)
class Outcome:
    """What a run found."""

    scored: Scored
    counts: Counts
    profile_table: str


def tickets(count: int, seed: int = 7) -> pd.DataFrame:
    """Return tickets with their priority: categories that may be missing, a whole-number key, a day's worth of moments."""
    draws = np.random.default_rng(seed)
    product = draws.choice([*PRODUCTS, None], count, p=[0.4, 0.3, 0.2, 0.1])
    age = draws.exponential(20, count).round(1)
    customer = draws.random(count) < 0.7
    urgent = (product == "login") & customer
    priority = np.where(urgent, "high", np.where(age > 24, "normal", "low"))
    noise = draws.random(count) < 0.1
    return pd.DataFrame(
        {
            KEY: np.arange(FIRST, FIRST + count),
            "opened_at": [START + timedelta(minutes=int(minute)) for minute in draws.integers(0, 3 * 24 * 60, count)],
            "product": product,
            "channel": draws.choice(["mail", "chat"], count),
            "is_customer": customer,
            "age_hours": age,
            "priority": np.where(noise, "normal", priority),
        }
    )


def prepare(spark: Any, names: Names, count: int, progress: Callable[[str], None]) -> str:
    """Make the tables, fit the model, register it; return its version. The last ticket has a product that training never saw."""
    rows = tickets(count)
    rows.loc[count - 1, "product"] = "new product"
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {names.schema}")
    labels = rows[[KEY, "opened_at", "priority"]].iloc[1:]  # the first comes later, as labels do
    for table, frame in (("tickets", rows[[KEY, "opened_at", *model.COLUMNS]]), ("labels", labels)):
        spark.createDataFrame(frame).write.mode("overwrite").saveAsTable(names.table(table))
    progress(f"{names.table('tickets')}: {count} tickets")
    return register(names, rows.iloc[: count // 2], progress)


def register(names: Names, rows: pd.DataFrame, progress: Callable[[str], None]) -> str:
    """Log and register the model that these tickets give."""
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run(run_name="ticket_priority"):
        path = Path(folder) / "priorities.parquet"
        model.fit(rows).to_parquet(path)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=model.__file__,
            artifacts={"priorities": str(path)},
            signature=model.SIGNATURE,
            input_example=rows[list(model.COLUMNS)].sort_values("product", na_position="first").head(2),
            pip_requirements=["mlflow", "pandas", "pyarrow"],
        )
    version = str(mlflow.register_model(info.model_uri, names.model).version)
    progress(f"{names.model}: version {version}")
    return version


def run(spark: Any, workspace: WorkspaceClient, names: Names, version: str, progress: Callable[[str], None]) -> Outcome:
    """Deploy the version, score the table, unpack what was logged, keep the monitor fresh."""
    catalog, schema = names.schema.split(".")
    plan = DeploymentPlan(
        endpoint=names.endpoint, model=names.model, version=version, catalog=catalog, schema=schema, workload_size="Small"
    )
    registry = mlflow.MlflowClient(registry_uri="databricks-uc")
    watch = Watch(seconds=0.5, checks=2)
    Deployer(workspace=workspace, registry=registry, progress=progress, watch=watch).deploy(plan, input_example(names.model, version))
    scored = batch(spark, workspace, names, version, progress)
    return Outcome(scored, *monitor(spark, workspace, names, version, progress))


def batch(spark: Any, workspace: WorkspaceClient, names: Names, version: str, progress: Callable[[str], None]) -> Scored:
    """Score the tickets that this version has not scored yet."""
    sql = ScoringSql(
        endpoint=names.endpoint,
        version=version,
        source=names.table("tickets"),
        predictions=names.table("predictions"),
        key=KEY,
        request_columns=model.COLUMNS,
        return_type="STRING",
    )
    return score_table(spark, sql, serves=partial(served_version, workspace, names.endpoint, model=names.model), progress=progress)


def add_late_label(spark: Any, names: Names) -> None:
    """Learn at last what the first ticket's priority was."""
    first = f"SELECT {KEY}, opened_at, 'low' FROM {names.table('tickets')} WHERE {KEY} = {FIRST}"
    spark.sql(f"INSERT INTO {names.table('labels')} {first}").collect()


def ask(workspace: WorkspaceClient, names: Names) -> list[str]:
    """Ask by hand: for two tickets, for one with a parameter, and wrongly, which the model refuses; return the three answers."""
    row = {KEY: FIRST, "product": "printer", "channel": "chat", "is_customer": True, "age_hours": 1.0}
    answers = score(workspace, names.endpoint, records=[{**row, "product": "login"}, {**row, "product": None}])
    answers += query(workspace, names.endpoint, body={"dataframe_records": [row], "params": {"default": "unheard of"}})["predictions"]
    try:
        query(workspace, names.endpoint, body={"dataframe_records": [{KEY: FIRST, "product": "login"}]}, client_request_id=MALFORMED)
    except BadRequest:
        return answers
    raise AssertionError("a request without the model's columns was answered")


def monitor(spark: Any, workspace: WorkspaceClient, names: Names, version: str, progress: Callable[[str], None]) -> tuple[Counts, str]:
    """Unpack the inference table, attach the labels there are, and refresh the monitor; return the counts and the profile table."""
    key = Field(KEY, "BIGINT")
    tables = Tables(
        payload=names.table(f"{names.endpoint}_payload"),
        processed=names.table("tickets_processed"),
        quarantine=names.table("tickets_quarantine"),
        labels=names.table("labels"),
        label_column="priority",
        label_type="STRING",
        event_time_column="opened_at",
        set_aside="deployment-check",  # the requests that verify a deployment
        schema=version_schema(names.model, version, key=key),
    )
    counts = process(spark, tables, progress=progress, schema_of_version=partial(version_schema, key=key))
    plan = MonitorPlan(
        table=tables.processed,
        output_schema=names.schema,
        timestamp_column="event_time",
        slices=("channel", "age_hours > 24"),
        problem_type="classification",
    )
    config = QualityMonitor(workspace=workspace, progress=progress).refresh(plan)
    return counts, str(config.profile_metrics_table_name)


def accuracy(spark: Any, profile_table: str) -> list[tuple[str, str | None, float | None]]:
    """Return day, slice and accuracy of all models together, as the monitor has them."""
    name = "CASE WHEN slice_key IS NULL THEN NULL ELSE CONCAT(slice_key, ': ', slice_value) END AS slice"
    chosen = "column_name = ':table' AND model_version = '*' AND log_type = 'INPUT'"
    columns = f"CAST(window.start AS DATE) AS day, {name}, accuracy_score"
    rows = spark.sql(f"SELECT {columns} FROM {profile_table} WHERE {chosen} ORDER BY day, slice NULLS FIRST").collect()
    return [(str(row["day"]), row["slice"], row["accuracy_score"]) for row in rows]


def verdict(spark: Any, names: Names, version: str, thresholds: Thresholds) -> Verdict:
    """Return whether the newest days are worse than, or unlike, those before."""
    profile, drift = metric_tables(names.table("tickets_processed"), names.schema)
    metrics = Metrics(
        profile=profile,
        drift=drift,
        model_id_column="model_version",
        version=version,
        granularity="1 day",
        label="label",
        columns=(*model.COLUMNS, "prediction"),
    )
    return judge(*metrics.read(spark), thresholds)
