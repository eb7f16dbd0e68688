"""Whose experiments are, as the requests say it."""

import json

import pytest

from harness.engines.mlflow_experiments import experiment_of, search_of
from harness.errors import ApiError


def test_experiment_gets_its_owners_tag() -> None:
    """Beside its own tags."""
    body = json.dumps({"name": "/Users/a@b/e", "tags": [{"key": "team", "value": "x"}]}).encode()
    owner = {"key": "mlflow.ownerEmail", "value": "a@b"}
    assert json.loads(experiment_of(body, "a@b")) == {"name": "/Users/a@b/e", "tags": [{"key": "team", "value": "x"}, owner]}


@pytest.mark.parametrize("body", [b"[]", b'{"name": "/e", "tags": "x"}'])
def test_body_that_the_server_will_refuse_goes_on_as_it_is(body: bytes) -> None:
    """So that the refusal is the server's own."""
    assert experiment_of(body, "a@b") == body


def test_name_that_is_no_path_is_refused() -> None:
    """As the platform does."""
    with pytest.raises(ApiError, match="invalid experiment name 'e'"):
        experiment_of(b'{"name": "e"}', "a@b")


@pytest.mark.parametrize(
    ("asked", "filter_"),
    [
        pytest.param(b"{}", "tags.`mlflow.ownerEmail` = 'a@b'", id="no filter"),
        pytest.param(b'{"filter": "name = \'/e\'"}', "name = '/e' AND tags.`mlflow.ownerEmail` = 'a@b'", id="a filter"),
        pytest.param(b"", "tags.`mlflow.ownerEmail` = 'a@b'", id="no body"),
    ],
)
def test_search_is_narrowed_to_the_owner(asked: bytes, filter_: str) -> None:
    """MLflow's filters know no OR, so AND narrows any of them."""
    assert json.loads(search_of(asked, "a@b"))["filter"] == filter_


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_bad_search_goes_on_as_it_is(body: bytes) -> None:
    """So that the refusal is the server's own."""
    assert search_of(body, "a@b") == body
