"""Signed addresses of artifacts: how mlflow 2, and mlflow 3 where the Files API is off, transfer those of runs and logged models.

The spans of a trace always go this way (one file, `traces.json`), and so do its attachments.

Fields: mlflow 3.17, `databricks_artifacts.proto`. No storage of a cloud is behind them: each address is the harness's own, for one file,
one method and one hour.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness.errors import ApiError
from harness.http import AnyRoute, RawRoute, json_response

T = TypeVar("T")
Access = Literal["GET", "PUT"]
Ask = Callable[[str, Mapping[str, str]], Awaitable[Mapping[str, object]]]
_DOC = "https://docs.databricks.com/api/workspace/experiments"
_SPANS = "traces.json"  # mlflow/tracing/utils/artifact_utils.py
_ARTIFACTS = "/WorkspaceInternal/Mlflow/Artifacts"


class _OfRun(msgspec.Struct):
    run_id: str
    path: tuple[str, ...] = ()


class _OfModel(msgspec.Struct):
    paths: tuple[str, ...] = ()


class ArtifactCredentials:
    """Answers for tracked artifacts. `ask` asks the MLflow server, `sign` makes the path and query of an address for a file."""

    def __init__(self, *, ask: Ask, sign: Callable[[str, Access], str]) -> None:
        self._ask = ask
        self._sign = sign

    def routes(self) -> list[AnyRoute]:
        """Return the routes; they stand before those that are passed on to the server."""
        runs, models = "/api/2.0/mlflow/artifacts/credentials-for", "/api/2.0/mlflow/logged-models/{model_id}/artifacts/credentials-for"
        traces = "/api/2.0/mlflow/traces/{trace_id}/credentials-for-data"
        return [
            RawRoute(("GET",), f"{traces}-download", self._of_trace("GET"), _DOC),
            RawRoute(("GET",), f"{traces}-upload", self._of_trace("PUT"), _DOC),
            RawRoute(("POST",), f"{runs}-read", self._of_run("GET"), _DOC),
            RawRoute(("POST",), f"{runs}-write", self._of_run("PUT"), _DOC),
            RawRoute(("POST",), f"{models}-download", self._of_model("GET"), _DOC),
            RawRoute(("POST",), f"{models}-upload", self._of_model("PUT"), _DOC),
        ]

    def _of_run(self, access: Access) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            asked = await _body(request, _OfRun)
            answered = await self._ask("/api/2.0/mlflow/runs/get", {"run_id": asked.run_id})
            experiment = _text(answered, "run", "info", "experiment_id")
            folder = f"{_ARTIFACTS}/{experiment}/Runs/{asked.run_id}/artifacts"
            infos = [{"run_id": asked.run_id, "path": path, **self._info(request, folder, path, access)} for path in asked.path]
            return json_response({"credential_infos": infos})

        return answer

    def _of_model(self, access: Access) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            asked, model_id = await _body(request, _OfModel), request.path_params["model_id"]
            answered = await self._ask(f"/api/2.0/mlflow/logged-models/{model_id}", {})
            experiment = _text(answered, "model", "info", "experiment_id")
            folder = f"{_ARTIFACTS}/{experiment}/LoggedModels/{model_id}/artifacts"
            infos = [{"credential_info": {"path": path, **self._info(request, folder, path, access)}} for path in asked.paths]
            return json_response({"credentials": infos})

        return answer

    def _of_trace(self, access: Access) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            trace_id, path = request.path_params["trace_id"], request.query_params.get("path") or _SPANS
            answered = await self._ask(f"/api/3.0/mlflow/traces/{trace_id}", {})
            experiment = _text(answered, "trace", "trace_info", "trace_location", "mlflow_experiment", "experiment_id")
            folder = f"{_ARTIFACTS}/{experiment}/Traces/{trace_id}/artifacts"
            return json_response({"credential_info": {"path": path, **self._info(request, folder, path, access)}})

        return answer

    def _info(self, request: Request, folder: str, path: str, access: Access) -> Mapping[str, object]:
        address = str(request.base_url).rstrip("/") + self._sign(f"{folder}/{path}", access)
        # Of the kinds that mlflow knows, the one that needs nothing but the address.
        return {"signed_uri": address, "type": "AWS_PRESIGNED_URL", "headers": []}


async def _body(request: Request, type_: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=type_)
    except msgspec.DecodeError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{request.method} {request.url.path}: {error}") from error


def _text(answer: object, *keys: str) -> str:
    for key in keys:
        answer = answer.get(key) if isinstance(answer, Mapping) else None
    return str(answer)
