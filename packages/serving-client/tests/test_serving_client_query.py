"""Queries, retries, the SQL of batch scoring, and the package's surface."""

import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DeadlineExceeded, TemporarilyUnavailable, TooManyRequests
from databricks.sdk.service.serving import EndpointCoreConfigOutput, Route, ServedEntityOutput, TrafficConfig
from hypothesis import given
from hypothesis import strategies as st

import serving_client
from serving_client import Retry, ScoringSql, ServingError, query, score, served_version
from serving_client.batch_sql import literal, quoted
from serving_client.tasks import batch_inference, deploy


class Script:
    """An endpoint that gives these answers, in turn."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.paths: list[str] = []
        self.slept: list[float] = []

    def do(self, _method: str, path: str, *, body: dict[str, Any]) -> Any:
        self.paths.append(path)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(body) if callable(answer) else answer

    @property
    def workspace(self) -> WorkspaceClient:
        return cast("WorkspaceClient", SimpleNamespace(api_client=self))

    @property
    def retry(self) -> Retry:
        return Retry(attempts=4, sleep=self.slept.append, jitter=lambda: 0.5)


def sql(**changes: Any) -> ScoringSql:
    """Scoring of orders by version 3."""
    arguments: dict[str, Any] = {
        "endpoint": "shop_returns",
        "version": "3",
        "source": "main.shop.orders",
        "predictions": "main.shop.predictions",
        "key": "order_id",
        "request_columns": ("price", "weight"),
    }
    return ScoringSql(**{**arguments, **changes})


def test_passing_failures_are_waited_for() -> None:
    """Time-outs are retried with waits that double."""
    script = Script(DeadlineExceeded("slow"), DeadlineExceeded("slow"), {"predictions": [1]})
    assert query(script.workspace, "ep", body={}, retry=script.retry) == {"predictions": [1]}
    assert script.slept == [0.75, 1.5]


def test_retry_after_is_obeyed() -> None:
    """The wait is never shorter than the endpoint asks."""
    script = Script(TooManyRequests("busy", retry_after_secs=7), {"predictions": []})
    query(script.workspace, "ep", body={}, retry=script.retry)
    assert script.slept == [7.5]


def test_retries_are_bounded() -> None:
    """After the last attempt the endpoint's own error is raised."""
    script = Script(*[TemporarilyUnavailable("waking up")] * 4)
    with pytest.raises(TemporarilyUnavailable, match="waking up"):
        query(script.workspace, "ep", body={}, retry=script.retry)
    assert len(script.slept) == 3


def test_refusal_is_final() -> None:
    """A request that the model refuses is sent once."""
    script = Script(BadRequest("missing column"))
    with pytest.raises(BadRequest):
        query(script.workspace, "ep", body={}, retry=script.retry)
    assert script.slept == []


def test_served_entity_has_its_own_path() -> None:
    """One entity is asked on its own path, whatever the traffic split says."""
    script = Script({}, {})
    query(script.workspace, "ep", body={})
    query(script.workspace, "ep", body={}, served_entity="m-2")
    assert script.paths == ["/serving-endpoints/ep/invocations", "/serving-endpoints/ep/served-models/m-2/invocations"]


@given(st.lists(st.integers(), max_size=20), st.integers(1, 7))
def test_scores_keep_the_order_of_the_records(values: list[int], chunk: int) -> None:
    """Each record gets its own prediction, however the records are cut into requests."""

    def double(body: dict[str, Any]) -> dict[str, Any]:
        return {"predictions": [record["x"] * 2 for record in body["dataframe_records"]]}

    script = Script(*[double] * len(values))
    assert score(script.workspace, "ep", records=[{"x": value} for value in values], chunk_rows=chunk) == [value * 2 for value in values]


def test_too_few_predictions_are_an_error() -> None:
    """Predictions are never put beside the wrong record."""
    with pytest.raises(ServingError, match="expected 2 predictions, got 1"):
        score(Script({"predictions": [1]}).workspace, "ep", records=[{}, {}])


def endpoint(**traffic: int) -> WorkspaceClient:
    """A workspace whose endpoint splits its traffic so, over versions of one model."""
    config = EndpointCoreConfigOutput(
        served_entities=[ServedEntityOutput(name=name, entity_name="main.shop.returns", entity_version=name[1:]) for name in traffic],
        traffic_config=TrafficConfig(routes=[Route(served_entity_name=name, traffic_percentage=share) for name, share in traffic.items()]),
    )
    return cast("WorkspaceClient", SimpleNamespace(serving_endpoints=SimpleNamespace(get=lambda _name: SimpleNamespace(config=config))))


def test_version_with_all_traffic_serves() -> None:
    """An entity at 0 % does not count."""
    assert served_version(endpoint(v1=0, v2=100), "ep", model="main.shop.returns") == "2"


@pytest.mark.parametrize("traffic", [pytest.param({"v1": 50, "v2": 50}, id="split"), pytest.param({}, id="nothing served")])
def test_predictions_need_one_version(traffic: dict[str, int]) -> None:
    """Under a traffic split no prediction can be put down to a version."""
    with pytest.raises(ServingError, match=r"expected one version of main\.shop\.returns with all traffic"):
        served_version(endpoint(**traffic), "ep", model="main.shop.returns")


def test_request_carries_the_key_first_and_once() -> None:
    """The key travels with the request, also when it is named among the request columns."""
    sent = "named_struct('order_id', source.`order_id`, 'price', source.`price`)"
    assert sent in sql(request_columns=("price",)).score()
    assert sent in sql(request_columns=("order_id", "price")).score()


def test_answers_are_staged_before_the_merge() -> None:
    """ai_query stands in the staging statement only, so that a MERGE cannot evaluate it twice."""
    assert sql().score().count("ai_query(") == 1
    assert sql().score().startswith("CREATE TABLE `main`.`shop`.`predictions_staging`")
    assert "ai_query" not in sql().merge()


def test_errors_are_scored_again_only_when_asked() -> None:
    """By default a row that ended in an error counts as scored."""
    assert "scored.error IS NULL" not in sql().count_pending()
    assert "scored.error IS NULL" in sql(retry_errors=True).count_pending()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"endpoint": "ep'; DROP"}, "endpoint: expected letters", id="quote in the endpoint"),
        pytest.param({"return_type": "DOUBLE'"}, "return type: expected a SQL type", id="quote in the type"),
        pytest.param({"request_columns": ()}, "at least one column", id="nothing to send"),
    ],
)
def test_impossible_statements_are_refused(changes: dict[str, Any], message: str) -> None:
    """What cannot become a statement is refused before anything runs."""
    with pytest.raises(ValueError, match=message):
        sql(**changes)


def test_names_and_texts_are_quoted() -> None:
    """Any character may be in a name or a text."""
    assert quoted("a.b c.d`e") == "`a`.`b c`.`d``e`"
    assert literal("it's\\") == "'it\\'s\\\\'"


@pytest.mark.parametrize(("task", "flag"), [(deploy, "--model-full-name"), (batch_inference, "--request-columns")])
def test_tasks_explain_themselves(task: Any, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each console script has a --help."""
    with pytest.raises(SystemExit) as ended:
        task(["--help"])
    assert ended.value.code == 0
    assert flag in capsys.readouterr().out


def test_all_lists_the_public_names() -> None:
    """`__all__` is sorted and names what exists."""
    assert serving_client.__all__ == sorted(serving_client.__all__)
    assert all(hasattr(serving_client, name) for name in serving_client.__all__)


def test_importing_starts_nothing_heavy() -> None:
    """Neither Spark nor MLflow comes with the import."""
    code = "import serving_client, sys; print(sorted({'pyspark', 'mlflow', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_readme_runs() -> None:
    """What the README shows is true."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README
