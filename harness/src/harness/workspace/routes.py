"""HTTP of the workspace: who and where one is, objects, permissions."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import asdict

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness import people
from harness.config import WORKSPACE_ID
from harness.errors import ApiError
from harness.http import AnyRoute, Call, RawRoute, Reply, Route, json_response
from harness.workspace.model import WorkspaceObject, imported, imported_as, object_path
from harness.workspace.multipart import parse_form
from harness.workspace.notebooks import Language
from harness.workspace.permissions import AccessControl, PermissionsService, rendered
from harness.workspace.service import WorkspaceService

_WORKSPACE = "https://docs.databricks.com/api/workspace/workspace"
_PERMISSIONS = "https://docs.databricks.com/api/workspace/permissions"
_SCIM = "https://docs.databricks.com/api/workspace/currentuser/me"
# docs.databricks.com/api/workspace/workspace/import and /export: 10 MB for `content`
MAX_INLINE_BYTES = 10 * 1024**2
_TRUE = frozenset({"true", "1"})


class _Path(msgspec.Struct):
    path: str
    recursive: bool = False


class _Import(msgspec.Struct):
    path: str
    content: str = ""
    format: str = "SOURCE"
    language: Language | None = None
    overwrite: bool = False


class _Telemetry(msgspec.Struct, rename="camel"):
    proto_logs: list[str] = msgspec.field(default_factory=list)
    items: list[object] = msgspec.field(default_factory=list)


def routes(service: WorkspaceService, permissions: PermissionsService) -> list[AnyRoute]:
    """Return the workspace's routes (the Files API's are in `files_routes`)."""
    return [*identity_routes(), *_object_routes(service), *permission_routes(permissions)]


def identity_routes() -> list[AnyRoute]:
    """Return what every client asks first: which workspace this is, and who asks."""

    async def host_metadata(request: Request) -> Response:
        host = str(request.base_url).rstrip("/")
        where = {"workspace_id": WORKSPACE_ID, "account_id": None, "cloud": "AWS", "host_type": "workspace"}
        return json_response({"oidc_endpoint": f"{host}/oidc", **where})

    def me(call: Call) -> Reply:
        return Reply(people.scim(call.user), headers={"x-databricks-org-id": WORKSPACE_ID})

    def telemetry(call: Call) -> object:
        asked = call.json(_Telemetry)
        return {"errors": [], "numProtoSuccess": len(asked.proto_logs), "numSuccess": len(asked.items)}

    return [
        # Clients ask without a token, before every first call.
        RawRoute(("GET",), "/.well-known/databricks-config", host_metadata, "databricks-sdk-py: databricks/sdk/oauth.py", public=True),
        Route("GET", "/api/2.0/preview/scim/v2/Me", me, _SCIM),
        Route("POST", "/telemetry-ext", telemetry, "observed: the official client reports its use; the report is dropped here"),
    ]


def _object_routes(service: WorkspaceService) -> list[AnyRoute]:
    def get_status(call: Call) -> object:
        path = call.require("path")
        found = service.get(path)
        if found.object_type == "NOTEBOOK" and call.query.get("return_export_info", "").lower() in _TRUE:
            return {**_rendered(found, path), "repos_export_format": found.format}  # Assumption: the field's name
        return _rendered(found, path)

    def list_objects(call: Call) -> object:
        path = call.require("path")
        found = [_rendered(each, path) for each in service.list(path)]
        return {"objects": found} if found else {}

    def export(call: Call) -> object:
        content, file_type = service.export(call.require("path"), call.query.get("format", "SOURCE"))
        if call.query.get("direct_download", "").lower() in _TRUE:
            return Response(content, media_type="application/octet-stream")
        _check_inline(len(content), call.require("path"))
        return {"content": b64encode(content).decode(), "file_type": file_type}

    def make_directories(call: Call) -> object:
        service.make_directories(call.json(_Path).path)
        return {}

    def delete(call: Call) -> object:
        asked = call.json(_Path)
        service.delete(asked.path, recursive=asked.recursive)
        return {}

    def import_object(call: Call) -> object:
        asked, content = _import_asked(call)
        what = imported_as(asked.format, object_path(asked.path), content, asked.language)
        service.write(what, content, overwrite=asked.overwrite)
        return {}

    def import_file(call: Call) -> object:
        path = object_path("/" + call.params["path"].lstrip("/"))
        overwrite = call.query.get("overwrite", "false").lower() in _TRUE
        return _rendered(service.write(imported(path, call.body), call.body, overwrite=overwrite), path)

    return [
        Route("GET", "/api/2.0/workspace/get-status", get_status, f"{_WORKSPACE}/getstatus"),
        Route("GET", "/api/2.0/workspace/list", list_objects, f"{_WORKSPACE}/list"),
        Route("GET", "/api/2.0/workspace/export", export, f"{_WORKSPACE}/export"),
        Route("POST", "/api/2.0/workspace/mkdirs", make_directories, f"{_WORKSPACE}/mkdirs"),
        Route("POST", "/api/2.0/workspace/delete", delete, f"{_WORKSPACE}/delete"),
        Route("POST", "/api/2.0/workspace/import", import_object, f"{_WORKSPACE}/import"),
        Route("POST", "/api/2.0/workspace-files/import-file/{path:path}", import_file, "observed: the official client"),
    ]


def permission_routes(service: PermissionsService) -> list[AnyRoute]:
    """Return the routes of access control lists."""

    def key(call: Call) -> tuple[str, str]:
        return call.params["kind"], call.params["object_id"]

    def shown(call: Call, control: AccessControl) -> object:
        return rendered(*key(call), control, service.inherited(*key(call)))

    def get(call: Call) -> object:
        return shown(call, service.get(*key(call)))

    def put(call: Call) -> object:
        return shown(call, service.replace(*key(call), call.json(AccessControl)))

    def patch(call: Call) -> object:
        return shown(call, service.update(*key(call), call.json(AccessControl)))

    def levels(call: Call) -> object:
        found = service.levels(*key(call)).items()
        return {"permission_levels": [{"permission_level": level, "description": about} for level, about in found]}

    path = "/api/2.0/permissions/{kind}/{object_id:path}"
    return [
        Route("GET", f"{path}/permissionLevels", levels, f"{_PERMISSIONS}/getpermissionlevels"),
        Route("GET", path, get, f"{_PERMISSIONS}/get"),
        Route("PUT", path, put, f"{_PERMISSIONS}/set"),
        Route("PATCH", path, patch, f"{_PERMISSIONS}/update"),
    ]


def _import_asked(call: Call) -> tuple[_Import, bytes]:
    content_type = call.headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        form = parse_form(content_type, call.body)
        try:
            texts = {name: value.decode() for name, value in form.items() if name != "content"}
            return msgspec.convert(texts, _Import, strict=False), form.get("content", b"")
        except (UnicodeDecodeError, msgspec.ValidationError) as error:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{call.method} {call.path}: {error}") from error
    asked = call.json(_Import)
    try:
        content = b64decode(asked.content, validate=True)
    except Base64Error as error:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"content of {asked.path} is not base64: {error}") from error
    _check_inline(len(content), asked.path)
    return asked, content


def _check_inline(size: int, path: str) -> None:
    if size > MAX_INLINE_BYTES:
        message = f"{path} has {size} bytes; at most {MAX_INLINE_BYTES} go in JSON: send a form, or ask for direct_download=true"
        raise ApiError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", message)


def _rendered(found: WorkspaceObject, asked: str) -> dict[str, object]:
    # Assumption: the answer spells the path as the question did, with or without /Workspace in front.
    prefix = "/Workspace" if asked == "/Workspace" or asked.startswith("/Workspace/") else ""
    body = {key: value for key, value in asdict(found).items() if value is not None and key != "format"}
    if found.object_type == "DIRECTORY":
        del body["size"]
    return {**body, "path": prefix + found.path, "resource_id": str(found.object_id)}
