"""Artifact URIs: how the MLflow server writes them and how a Databricks workspace does. Pure.

Only the fields that hold artifact URIs are rewritten, never text that users wrote.
"""

import json
import re
from collections.abc import Callable

_SERVER = "mlflow-artifacts:/"
_WORKSPACE = "dbfs:/databricks/mlflow-tracking/"
_SERVER_MODEL = re.compile(r"mlflow-artifacts:/([^/]+)/models/")
_SERVER_TRACE = re.compile(r"mlflow-artifacts:/([^/]+)/traces/(tr-)")
_WORKSPACE_TRACE = re.compile(r"dbfs:/databricks/mlflow-tracking/([^/]+)/(tr-)")
_WORKSPACE_MODEL = re.compile(r"dbfs:/databricks/mlflow-tracking/([^/]+)/logged_models/")

# A trace's artifact URI is one of its tags: a field in version 3 of its routes, a pair of key and value in version 2.
_TAG = "mlflow.artifactLocation"
# Where artifact URIs stand in requests and answers; `*` is every element of a list, `=key` the value of a pair with that key.
_FIELDS = (
    ("artifact_location",),
    ("artifact_uri",),
    ("source",),
    ("root_uri",),
    ("experiment", "artifact_location"),
    ("experiments", "*", "artifact_location"),
    ("run", "info", "artifact_uri"),
    ("runs", "*", "info", "artifact_uri"),
    ("model", "info", "artifact_uri"),
    ("models", "*", "info", "artifact_uri"),
    ("model_version", "source"),
    ("model_versions", "*", "source"),
    ("registered_model", "latest_versions", "*", "source"),
    ("registered_models", "*", "latest_versions", "*", "source"),
    ("trace", "trace_info", "tags", _TAG),
    ("traces", "*", "tags", _TAG),
    ("traces", "*", "trace_info", "tags", _TAG),
    ("trace_infos", "*", "tags", _TAG),
    ("trace_info", "tags", "*", f"={_TAG}"),
    ("traces", "*", "tags", "*", f"={_TAG}"),
)


def workspace_uri(uri: str) -> str:
    """Return a server's artifact URI as a workspace writes it.

    >>> workspace_uri("mlflow-artifacts:/7/models/m-1/artifacts")
    'dbfs:/databricks/mlflow-tracking/7/logged_models/m-1/artifacts'
    """
    if _SERVER_TRACE.match(uri):
        return _SERVER_TRACE.sub(r"dbfs:/databricks/mlflow-tracking/\1/\2", uri, count=1)
    if _SERVER_MODEL.match(uri):
        return _SERVER_MODEL.sub(r"dbfs:/databricks/mlflow-tracking/\1/logged_models/", uri, count=1)
    return _WORKSPACE + uri.removeprefix(_SERVER) if uri.startswith(_SERVER) else uri


def server_uri(uri: str) -> str:
    """Return a workspace's artifact URI as the server writes it."""
    if _WORKSPACE_TRACE.match(uri):
        return _WORKSPACE_TRACE.sub(r"mlflow-artifacts:/\1/traces/\2", uri, count=1)
    if _WORKSPACE_MODEL.match(uri):
        return _WORKSPACE_MODEL.sub(r"mlflow-artifacts:/\1/models/", uri, count=1)
    return _SERVER + uri.removeprefix(_WORKSPACE) if uri.startswith(_WORKSPACE) else uri


def to_workspace(body: bytes) -> bytes:
    """Return a server's JSON answer with its artifact URIs as a workspace writes them."""
    return _rewritten(body, workspace_uri) if _SERVER.encode() in body else body


def to_server(body: bytes) -> bytes:
    """Return a client's JSON request with its artifact URIs as the server writes them."""
    return _rewritten(body, server_uri) if _WORKSPACE.encode() in body else body


def _rewritten(body: bytes, change: Callable[[str], str]) -> bytes:
    try:
        document = json.loads(body)
    except ValueError:
        return body
    for path in _FIELDS:
        document = _changed(document, path, change)
    return json.dumps(document, separators=(",", ":")).encode()


def _changed(node: object, path: tuple[str, ...], change: Callable[[str], str]) -> object:
    if not path:
        return change(node) if isinstance(node, str) else node
    key, rest = path[0], path[1:]
    if key == "*" and isinstance(node, list):
        return [_changed(each, rest, change) for each in node]
    if key.startswith("=") and isinstance(node, dict) and node.get("key") == key[1:] and "value" in node:
        return {**node, "value": _changed(node["value"], rest, change)}
    if isinstance(node, dict) and key in node:
        return {**node, key: _changed(node[key], rest, change)}
    return node
