"""A stranger's model with the two wheels that know no model in particular."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound

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
    finally:
        remove(workspace, names.endpoint)

    assert (first.scored.rows, first.scored.errors, second.scored.sent) == (TICKETS, 0, 0)
    assert (first.counts.processed_rows, first.counts.labelled_rows, first.counts.quarantined_rows) == (TICKETS, TICKETS - 1, 0)
    assert answer == ["unheard of"]
    assert (second.counts.new_rows, second.counts.quarantined_rows) == (1, 1)
    assert second.counts.labelled_rows == second.counts.processed_rows == TICKETS + 1

    tickets = spark.table(names.table("tickets")).orderBy("ticket_id").toPandas()
    predicted = spark.table(names.table("predictions")).orderBy("ticket_id").toPandas()
    served = mlflow.pyfunc.load_model(f"models:/{names.model}/{version}")
    columns = ["product", "channel", "is_customer", "age_hours"]
    assert predicted["ticket_id"].tolist() == tickets["ticket_id"].tolist()
    assert predicted["prediction"].tolist() == list(served.predict(tickets[columns]))
    assert predicted["prediction"].iloc[-1] == "normal"  # of a product that training never saw: the parameter's default

    processed = spark.table(names.table("tickets_processed")).toPandas()
    days = processed.groupby(processed["event_time"].dt.date)
    by_hand = {str(day): float((rows["prediction"] == rows["label"]).mean()) for day, rows in days}
    assert {day: share for day, slice_, share in steps.accuracy(spark, second.profile_table) if slice_ is None} == pytest.approx(by_hand)
    slices = {slice_ for _, slice_, _ in steps.accuracy(spark, second.profile_table)}
    assert slices == {None, "channel: mail", "channel: chat", "age_hours > 24: true", "age_hours > 24: false"}


def remove(workspace: WorkspaceClient, endpoint: str) -> None:
    """Delete the endpoint, if it came so far."""
    try:
        workspace.serving_endpoints.delete(endpoint)
    except NotFound:
        return
