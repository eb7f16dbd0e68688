"""A stranger's model with the two wheels that know no model in particular."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

from monitoring_unpacker import Thresholds

pytestmark = pytest.mark.platform

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ticket_priority"
TICKETS = 60


@pytest.fixture
def steps() -> Iterator[Any]:
    """The example's workflow, as `main.py` imports it."""
    sys.path.insert(0, str(EXAMPLE))
    try:
        yield importlib.import_module("ticket_workflow")
    finally:
        sys.path.remove(str(EXAMPLE))


def test_a_stranger_s_classification_goes_all_the_way(spark: Any, workspace: WorkspaceClient, catalog: str, steps: Any) -> None:
    """Scored once each, asked by hand, one request quarantined, the late label joined, accuracy as counted by hand, nothing done twice."""
    mlflow.set_experiment("/Users/developer@harness.local/ticket_priority")
    names = steps.Names(schema=f"{catalog}.support", endpoint=f"{catalog}_tickets")
    version = steps.prepare(spark, names, TICKETS, print)
    try:
        first = steps.run(spark, workspace, names, version, print)
        answer = steps.ask(workspace, names)
        steps.add_late_label(spark, names)
        second = steps.run(spark, workspace, names, version, print)
        before = states(spark, names)
        third = steps.batch(spark, workspace, names, version, print), steps.monitor(spark, workspace, names, version, print)[0]
    finally:
        remove(workspace, names.endpoint)

    assert (first.scored.rows, first.scored.errors, second.scored.sent) == (TICKETS, 0, 0)
    assert (first.counts.processed_rows, first.counts.labelled_rows, first.counts.quarantined_rows) == (TICKETS, TICKETS - 1, 0)
    assert answer == ["high", "low", "unheard of"]
    assert (second.counts.new_rows, second.counts.quarantined_rows, second.counts.set_aside_rows) == (3, 1, 2)
    assert second.counts.labelled_rows == second.counts.processed_rows == TICKETS + 3
    assert third == (second.scored, replace(second.counts, new_requests=0, new_rows=0, new_quarantined=0))
    assert states(spark, names) == before
    (refused,) = spark.table(names.table("tickets_quarantine")).collect()
    assert refused["reason"] == "status code is 400"
    assert json.loads(refused["request"])["client_request_id"] == "malformed-on-purpose"

    tickets = spark.table(names.table("tickets")).orderBy("ticket_id").toPandas()
    predicted = spark.table(names.table("predictions")).orderBy("ticket_id").toPandas()
    served = mlflow.pyfunc.load_model(f"models:/{names.model}/{version}")
    columns = ["product", "channel", "is_customer", "age_hours"]
    assert predicted["ticket_id"].tolist() == tickets["ticket_id"].tolist()
    assert predicted["prediction"].tolist() == list(served.predict(tickets[columns]))
    assert predicted["prediction"].iloc[-1] == "normal"  # of a product that training never saw: the parameter's default

    processed = spark.table(names.table("tickets_processed")).toPandas()
    labels = spark.table(names.table("labels")).toPandas().set_index("ticket_id")["priority"]
    assert processed["label"].tolist() == labels[processed["ticket_id"]].tolist()
    assert labels[steps.FIRST] == "low"  # the late one
    days = processed.groupby(processed["event_time"].dt.date)
    by_hand = {str(day): float((rows["prediction"] == rows["label"]).mean()) for day, rows in days}
    assert {day: share for day, slice_, share in steps.accuracy(spark, second.profile_table) if slice_ is None} == pytest.approx(by_hand)
    slices = {slice_ for _, slice_, _ in steps.accuracy(spark, second.profile_table)}
    assert slices == {None, "channel: mail", "channel: chat", "age_hours > 24: true", "age_hours > 24: false"}

    found = steps.verdict(spark, names, version, Thresholds(rows=10))
    assert {finding.check for finding in found.findings} == {"accuracy", "drift", "nulls"}


def states(spark: Any, names: Any) -> list[int]:
    """Return the newest versions of the tables' data; notes in their properties are no data."""
    tables = [names.table(name) for name in ("predictions", "tickets_processed", "tickets_quarantine")]
    changes = [spark.sql(f"DESCRIBE HISTORY {table}").where("operation <> 'SET TBLPROPERTIES'") for table in tables]
    return [history.agg({"version": "max"}).first()[0] for history in changes]


def remove(workspace: WorkspaceClient, endpoint: str) -> None:
    """Delete the endpoint, if it came so far."""
    try:
        workspace.serving_endpoints.delete(endpoint)
    except NotFound:
        return
