"""`w.dbfs` over HTTP."""

import base64

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.workspace.dbfs import MAX_BLOCK_BYTES, DbfsService, decoded

_DOC = "https://docs.databricks.com/api/workspace/dbfs"
_ROOT = "/api/2.0/dbfs"


class _Written(msgspec.Struct):
    path: str
    contents: str = ""
    overwrite: bool = False


class _Block(msgspec.Struct):
    handle: int
    data: str = ""


class _Removed(msgspec.Struct):
    path: str
    recursive: bool = False


class _Moved(msgspec.Struct):
    source_path: str
    destination_path: str


def dbfs_routes(service: DbfsService) -> list[AnyRoute]:
    """Return the routes of DBFS."""

    def create(call: Call) -> object:
        asked = call.json(_Written)
        return {"handle": service.create(asked.path, overwrite=asked.overwrite)}

    def add_block(call: Call) -> object:
        asked = call.json(_Block)
        service.add_block(asked.handle, decoded(asked.data))
        return {}

    def close(call: Call) -> object:
        service.close(call.json(_Block).handle)
        return {}

    def put(call: Call) -> object:
        if "multipart" in call.headers.get("content-type", ""):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", "dbfs/put: send JSON with base64 'contents', or create, add-block, close")
        asked = call.json(_Written)
        service.put(asked.path, decoded(asked.contents), overwrite=asked.overwrite)
        return {}

    return [
        Route("POST", f"{_ROOT}/create", create, f"{_DOC}/create"),
        Route("POST", f"{_ROOT}/add-block", add_block, f"{_DOC}/addblock"),
        Route("POST", f"{_ROOT}/close", close, f"{_DOC}/close"),
        Route("POST", f"{_ROOT}/put", put, f"{_DOC}/put"),
        *_others(service),
    ]


def _others(service: DbfsService) -> list[AnyRoute]:
    def status(call: Call) -> object:
        return service.status(call.require("path"))

    def list_(call: Call) -> object:
        return {"files": service.list(call.require("path"))}

    def read(call: Call) -> object:
        content = service.read(call.require("path"), _number(call, "offset", 0), _number(call, "length", MAX_BLOCK_BYTES))
        return {"bytes_read": len(content), "data": base64.b64encode(content).decode()}

    def mkdirs(call: Call) -> object:
        service.mkdirs(call.json(_Removed).path)
        return {}

    def delete(call: Call) -> object:
        asked = call.json(_Removed)
        service.delete(asked.path, recursive=asked.recursive)
        return {}

    def move(call: Call) -> object:
        asked = call.json(_Moved)
        service.move(asked.source_path, asked.destination_path)
        return {}

    return [
        Route("GET", f"{_ROOT}/get-status", status, f"{_DOC}/getstatus"),
        Route("GET", f"{_ROOT}/list", list_, f"{_DOC}/list"),
        Route("GET", f"{_ROOT}/read", read, f"{_DOC}/read"),
        Route("POST", f"{_ROOT}/mkdirs", mkdirs, f"{_DOC}/mkdirs"),
        Route("POST", f"{_ROOT}/delete", delete, f"{_DOC}/delete"),
        Route("POST", f"{_ROOT}/move", move, f"{_DOC}/move"),
    ]


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, str(default))
    if not text.isdecimal():
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} '{text}': expected a number that is not negative")
    return int(text)
