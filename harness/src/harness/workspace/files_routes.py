"""HTTP of the Files API. Bodies are streamed both ways."""

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, RawRoute, Reply, Route, json_response
from harness.workspace.files import PAGE_SIZE, SIGNED_URL_PATH, Access, FilesService

_DOC = "https://docs.databricks.com/api/workspace/files"
_BINARY = "application/octet-stream"


def files_routes(service: FilesService) -> list[AnyRoute]:
    """Return the Files API's routes."""
    return [_file_route(service), *_directory_routes(service), _signing(service, "GET"), _signing(service, "PUT"), _signed_route(service)]


def _file_route(service: FilesService) -> AnyRoute:
    async def files(request: Request) -> Response:
        path = request.path_params["path"]
        if request.method == "PUT":
            await service.receive(path, request.stream(), overwrite=request.query_params.get("overwrite", "true").lower() != "false")
            return Response(status_code=204)
        if request.method == "DELETE":
            await run_in_threadpool(service.delete_file, path)
            return Response(status_code=204)
        if request.method == "POST":  # the SDK does so from 50 MiB up
            raise NotEmulated(f"POST /api/2.0/fs/files{path} (upload in parts)")
        return FileResponse(service.file(path), media_type=_BINARY)

    return RawRoute(("GET", "HEAD", "PUT", "DELETE", "POST"), "/api/2.0/fs/files{path:path}", files, _DOC)


def _directory_routes(service: FilesService) -> list[AnyRoute]:
    def list_directory(call: Call) -> object:
        size = call.query.get("page_size", str(PAGE_SIZE))
        if not size.isdecimal():
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"page_size must be a whole number, not {size!r}")
        # mlflow's client sends the token in the body of the GET.
        token = call.query.get("page_token") or call.json(_PageAsked).page_token
        page = service.list_directory(call.params["path"], page_size=int(size) or PAGE_SIZE, page_token=token)
        return page if page.next_page_token else {"contents": page.contents}

    def head(call: Call) -> Reply:
        service.directory(call.params["path"])
        return Reply()

    def put(call: Call) -> Response:
        service.create_directory(call.params["path"])
        return Response(status_code=204)

    def delete(call: Call) -> Response:
        service.delete_directory(call.params["path"])
        return Response(status_code=204)

    path = "/api/2.0/fs/directories{path:path}"
    return [
        Route("HEAD", path, head, _DOC),
        Route("GET", path, list_directory, _DOC),
        Route("PUT", path, put, _DOC),
        Route("DELETE", path, delete, _DOC),
    ]


def _signing(service: FilesService, access: Access) -> AnyRoute:
    async def sign(request: Request) -> Response:
        path = await _asked_path(request)
        url = str(request.base_url).rstrip("/") + await run_in_threadpool(service.signed_url, path, access)
        return json_response({"url": url, "headers": []})

    verb = "download" if access == "GET" else "upload"
    return RawRoute(("POST",), f"/api/2.0/fs/create-{verb}-url", sign, _DOC)


def _signed_route(service: FilesService) -> AnyRoute:
    async def signed(request: Request) -> Response:
        query = request.query_params
        path, access, expires = query.get("path", ""), query.get("access", ""), query.get("expires", "")
        if access != ("PUT" if request.method == "PUT" else "GET"):
            raise ApiError(403, "PERMISSION_DENIED", f"This URL was not made for {request.method}")
        service.check_signature(path, access, expires, query.get("signature", ""))
        if access == "PUT":
            await service.receive(path, request.stream(), overwrite=True)
            return Response(status_code=200)
        return FileResponse(service.file(path), media_type=_BINARY)

    return RawRoute(("GET", "HEAD", "PUT"), SIGNED_URL_PATH, signed, _DOC, public=True)


class _PageAsked(msgspec.Struct):
    page_token: str = ""


class _PathAsked(msgspec.Struct):
    path: str


async def _asked_path(request: Request) -> str:
    if "path" in request.query_params:  # the SDK
        return request.query_params["path"]
    try:  # mlflow
        return msgspec.json.decode(await request.body() or b"{}", type=_PathAsked).path
    except msgspec.DecodeError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{request.url.path}: {error}; expected a path") from error
