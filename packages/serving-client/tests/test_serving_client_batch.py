"""The statements of batch scoring, and which version predictions are put down to."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from databricks.sdk.service.serving import EndpointCoreConfigOutput, Route, ServedEntityOutput, TrafficConfig

from serving_client import ScoringSql, ServingError, served_version
from serving_client.batch_sql import literal, quoted


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


def test_endpoint_that_is_gone_is_said_to_be() -> None:
    """A missing endpoint is an error that says what to run."""

    def get(name: str) -> None:
        raise NotFound(f"Endpoint with name '{name}' does not exist.")

    workspace = cast("WorkspaceClient", SimpleNamespace(serving_endpoints=SimpleNamespace(get=get)))
    with pytest.raises(ServingError, match="endpoint ep does not exist; create it by running `deploy`"):
        served_version(workspace, "ep", model="main.shop.returns")


def test_f14_every_answer_or_error_is_kept() -> None:
    """A row that fails does not fail the others: its error stands in its own column."""
    assert "failOnError => false" in sql().score()
    assert "error = staged.answer.errorMessage" in sql().merge()


def test_f14_only_rows_that_this_version_has_not_scored_are_sent() -> None:
    """What is asked for is what is left by an anti-join on key, version and the values that were sent."""
    pending = sql().count_pending().split("LEFT ANTI JOIN ")[1]
    assert "scored.`order_id` = source.`order_id`" in pending
    assert "scored.model_version = '3'" in pending
    assert "scored.request_hash = xxhash64('order_id, price, weight', source.`order_id` IS NULL, source.`order_id`" in pending
    assert sql().score().endswith(f"LEFT ANTI JOIN {pending}")


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
