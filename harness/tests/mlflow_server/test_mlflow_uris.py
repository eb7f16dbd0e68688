"""Artifact URIs between the server's spelling and the workspace's: the right fields, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.mlflow_uris import server_uri, to_server, to_workspace, workspace_uri

PAIRS = [
    pytest.param("mlflow-artifacts:/7", "dbfs:/databricks/mlflow-tracking/7", id="experiment"),
    pytest.param("mlflow-artifacts:/7/abc/artifacts", "dbfs:/databricks/mlflow-tracking/7/abc/artifacts", id="run"),
    pytest.param(
        "mlflow-artifacts:/7/models/m-1/artifacts", "dbfs:/databricks/mlflow-tracking/7/logged_models/m-1/artifacts", id="logged model"
    ),
    pytest.param("s3://bucket/7", "s3://bucket/7", id="somebody else's"),
]


@pytest.mark.parametrize(("server", "workspace"), PAIRS)
def test_uri_is_translated_both_ways(server: str, workspace: str) -> None:
    assert (workspace_uri(server), server_uri(workspace)) == (workspace, server)


def test_only_fields_that_hold_artifact_uris_change() -> None:
    text = "mlflow-artifacts:/7/models/m/x"
    body = {"run": {"info": {"artifact_uri": text, "run_name": text}, "data": {"params": [{"key": "source", "value": text}]}}}

    changed = json.loads(to_workspace(json.dumps(body).encode()))

    info = {"artifact_uri": "dbfs:/databricks/mlflow-tracking/7/logged_models/m/x", "run_name": text}
    assert changed == {"run": {"info": info, "data": body["run"]["data"]}}


@pytest.mark.parametrize("body", [b"", b"not json mlflow-artifacts:/7", b'"mlflow-artifacts:/7"', b'{"runs": "mlflow-artifacts:/7"}'])
def test_body_without_such_fields_keeps_its_meaning(body: bytes) -> None:
    assert to_workspace(body).replace(b" ", b"") == body.replace(b" ", b"")


@pytest.mark.property
@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_documents_without_artifact_uris_pass_unchanged(document: object) -> None:
    """Whatever a user logs comes through as it is."""
    body = json.dumps(document).encode()
    assert json.loads(to_server(to_workspace(body))) == document
