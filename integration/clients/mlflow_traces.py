"""mlflow tracing against a workspace: spans, attributes, tags, assessments, searches, deletion.

`python mlflow_traces.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import contextlib
import logging
import uuid

import mlflow
from mlflow.entities import AssessmentSource, SpanType
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow").setLevel(logging.ERROR)


@mlflow.trace(span_type=SpanType.TOOL, attributes={"unit": "km"})
def distance(stop: int) -> int:
    """Return a distance, and leave a span."""
    return stop * 2


@mlflow.trace
def fare(stops: int) -> float:
    """Return a fare, with spans of its own making inside."""
    with mlflow.start_span("sum", span_type=SpanType.CHAIN) as span:
        span.set_inputs({"stops": stops})
        total = sum(distance(stop) for stop in range(stops))
        span.set_outputs(total)
    mlflow.update_current_trace(tags={"city": "here"})
    return total * 2.5


def main() -> None:
    """Trace, read back, judge, search, delete."""
    mlflow.set_tracking_uri("databricks")
    experiment = mlflow.set_experiment(f"/Shared/clients/traces-{uuid.uuid4().hex[:8]}")
    with mlflow.start_run() as run:
        assert fare(3) == 15.0
    mlflow.flush_trace_async_logging()
    trace_id = mlflow.get_last_active_trace_id()
    trace = mlflow.get_trace(trace_id)
    spans = {span.name: span for span in trace.data.spans}
    assert (trace.info.state, trace.info.tags["city"], trace.info.experiment_id) == ("OK", "here", experiment.experiment_id)
    assert {"fare", "sum"} <= set(spans)
    assert len(trace.data.spans) == 5
    assert (spans["fare"].inputs, spans["fare"].outputs, spans["sum"].inputs) == ({"stops": 3}, 15.0, {"stops": 3})
    assert spans["sum"].parent_id == spans["fare"].span_id

    client = mlflow.MlflowClient()
    client.set_trace_tag(trace_id, "reviewed", "yes")
    given = mlflow.log_feedback(
        trace_id=trace_id, name="correct", value=True, rationale="counted", source=AssessmentSource("HUMAN", "me@example.com")
    )
    mlflow.log_expectation(trace_id=trace_id, name="fare", value=15.0, source=AssessmentSource("HUMAN", "me@example.com"))
    assert mlflow.get_assessment(trace_id, given.assessment_id).feedback.value is True
    mlflow.delete_assessment(trace_id=trace_id, assessment_id=given.assessment_id)
    assert [each.name for each in mlflow.get_trace(trace_id).info.assessments] == ["fare"]

    @mlflow.trace(name="broken")
    def broken() -> None:
        message = "no such stop"
        raise ValueError(message)

    with contextlib.suppress(ValueError):
        broken()
    mlflow.flush_trace_async_logging()
    here = [experiment.experiment_id]
    found = mlflow.search_traces(locations=here, filter_string="tags.reviewed = 'yes'", return_type="list")
    assert [(each.info.trace_id, len(each.data.spans)) for each in found] == [(trace_id, 5)]
    failed = mlflow.search_traces(locations=here, filter_string="status = 'ERROR'", return_type="list")
    assert [each.data.spans[0].name for each in failed] == ["broken"]
    assert failed[0].data.spans[0].events[0].name == "exception"
    assert [each.info.trace_id for each in mlflow.search_traces(locations=here, run_id=run.info.run_id, return_type="list")] == [trace_id]
    assert len(mlflow.search_traces(locations=here)) == 2
    first = client.search_traces(locations=here, max_results=1, order_by=["timestamp_ms ASC"])
    second = client.search_traces(locations=here, max_results=1, order_by=["timestamp_ms ASC"], page_token=first.token)
    assert [first[0].info.trace_id, second[0].info.trace_id] == [trace_id, failed[0].info.trace_id]

    assert client.delete_traces(experiment.experiment_id, trace_ids=[trace_id]) == 1
    assert mlflow.get_trace(trace_id) is None
    assert len(mlflow.search_traces(locations=here)) == 1
    try:
        mlflow.search_traces(locations=["main.default"])
    except MlflowException as error:
        assert "not emulated" in str(error), error
    else:
        raise AssertionError("traces in Unity Catalog's tables are not there")
    client.delete_experiment(experiment.experiment_id)


if __name__ == "__main__":
    main()
