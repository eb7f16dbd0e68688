"""HTTP of the Files API. Bodies are streamed both ways."""

import math
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, RawRoute, Reply, Route, json_response
from harness.workspace.files import PAGE_SIZE, FilesService
from harness.workspace.parts import PartUploads, SentPart
from harness.workspace.signing import SIGNED_URL_PATH, Access

_PARTS_DOC = "databricks-sdk-py: databricks/sdk/mixins/files.py"
_T = TypeVar("_T")
_DOC = "https://docs.databricks.com/api/workspace/files"
_BINARY = "application/octet-stream"
# In an object store's words: databricks-sdk (FilesExt._is_url_expired_response) then asks for another address and goes on.
_EXPIRED = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
_SIGNED_FOR = {"GET": {"GET"}, "HEAD": {"GET"}, "PUT": {"PUT", "PART"}, "DELETE": {"ABORT"}}


def routes(service: FilesService) -> list[AnyRoute]:
    """Return the Files API's routes."""
    parts = PartUploads(service)
    return [
        _file_route(service, parts),
        *_directory_routes(service),
        _signing(service, "GET"),
        _signing(service, "PUT"),
        *_part_routes(parts),
        _signed_route(service, parts),
    ]


def _file_route(service: FilesService, parts: PartUploads) -> AnyRoute:
    async def files(request: Request) -> Response:
        path = request.path_params["path"]
        if request.method == "PUT":
            await service.receive(path, request.stream(), overwrite=_overwrite(request))
            return Response(status_code=204)
        if request.method == "DELETE":
            await run_in_threadpool(service.delete_file, path)
            return Response(status_code=204)
        if request.method == "POST":  # the SDK does so from 50 MiB up
            return await _begin_or_complete(parts, request, path)
        return _content(request, service.file(path))

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


def _signed_route(service: FilesService, parts: PartUploads) -> AnyRoute:
    async def signed(request: Request) -> Response:
        query = request.query_params
        path, access, expires = query.get("path", ""), query.get("access", ""), query.get("expires", "")
        if access not in _SIGNED_FOR[request.method]:
            raise ApiError(403, "PERMISSION_DENIED", f"This URL was not made for {request.method}")
        if service.signer.is_expired(path, access, expires, query.get("signature", "")):
            return Response(_EXPIRED, 403, media_type="application/xml")
        match access:
            case "PUT":
                await service.receive(path, request.stream(), overwrite=True)
            case "PART":
                return Response(status_code=200, headers={"etag": await parts.receive(path, request.stream())})
            case "ABORT":
                await run_in_threadpool(parts.abort, path)
            case _:
                return _content(request, service.file(path))
        return Response(status_code=200)

    return RawRoute(tuple(_SIGNED_FOR), SIGNED_URL_PATH, signed, _DOC, public=True)


class _Content(FileResponse):
    # Each piece is read in another thread and costs the same whatever its size: a GiB in the 64 KiB of Starlette is 16,384 of them.
    chunk_size = 1024**2


def _content(request: Request, file: Path) -> Response:
    """Return a file, or the part of it asked for; 412 when it is newer than what the caller read before (parallel downloads ask so)."""
    unless_newer = request.headers.get("if-unmodified-since")
    try:
        known = parsedate_to_datetime(unless_newer).timestamp() if unless_newer else math.inf
    except ValueError:  # no date: as RFC 9110, section 13.1.4, has it, the header then counts for nothing
        known = math.inf
    if int(file.stat().st_mtime) > known:
        raise ApiError(412, "PRECONDITION_FAILED", "The file has changed since the download began")
    return _Content(file, media_type=_BINARY)


def _part_routes(parts: PartUploads) -> list[AnyRoute]:
    async def part_urls(request: Request) -> Response:
        asked = await _body(request, _PartsAsked)
        host = str(request.base_url).rstrip("/")
        urls = parts.part_urls(asked.session_token, asked.start_part_number, asked.count)
        return json_response({"upload_part_urls": [{"url": host + url, "part_number": number, "headers": []} for number, url in urls]})

    async def abort_url(request: Request) -> Response:
        url = str(request.base_url).rstrip("/") + parts.abort_url((await _body(request, _PartsAsked)).session_token)
        return json_response({"abort_upload_url": {"url": url, "headers": []}})

    return [
        RawRoute(("POST",), "/api/2.0/fs/create-upload-part-urls", part_urls, _PARTS_DOC),
        RawRoute(("POST",), "/api/2.0/fs/create-abort-upload-url", abort_url, _PARTS_DOC),
    ]


async def _begin_or_complete(parts: PartUploads, request: Request, path: str) -> Response:
    action = request.query_params.get("action", "")
    if action == "initiate-upload":
        token = await run_in_threadpool(parts.begin, path, overwrite=_overwrite(request))
        return json_response({"multipart_upload": {"session_token": token}})
    if action == "complete-upload":
        sent = await _body(request, _PartsSent)
        await run_in_threadpool(parts.complete, request.query_params.get("session_token", ""), path, sent.parts)
        return json_response({})
    raise NotEmulated(f"POST /api/2.0/fs/files with action={action!r}")


def _overwrite(request: Request) -> bool:
    # docs.databricks.com/api/workspace/files/upload: "true or unspecified" overwrites.
    return request.query_params.get("overwrite", "true").lower() != "false"


class _PartsAsked(msgspec.Struct):
    session_token: str
    start_part_number: int = 1
    count: int = 1


class _PartsSent(msgspec.Struct):
    parts: list[SentPart]


class _PageAsked(msgspec.Struct):
    page_token: str = ""


class _PathAsked(msgspec.Struct):
    path: str


async def _asked_path(request: Request) -> str:
    if "path" in request.query_params:  # the SDK
        return request.query_params["path"]
    return (await _body(request, _PathAsked)).path  # mlflow


async def _body(request: Request, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=type_)
    except msgspec.DecodeError as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{request.url.path}: {error}") from error
