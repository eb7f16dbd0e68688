"""`w.statement_execution` over HTTP."""

from base64 import b64encode
from collections.abc import Callable
from typing import TypeVar

import msgspec
from starlette.responses import Response

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.sql.model import CreateSessionRequest, ExecuteRequest
from harness.sql.results import CONTENT_TYPES, Chunk, Result
from harness.sql.service import Statement, StatementService
from harness.sql.warehouses import warehouse_routes

DOC = "https://docs.databricks.com/api/workspace/statementexecution"
_CONNECTOR = "databricks-sql-connector: databricks/sql/backend/sea"
STATEMENTS = "/api/2.0/sql/statements"
STATEMENT = f"{STATEMENTS}/{{statement_id}}"
SESSIONS = "/api/2.0/sql/sessions"
# Assumption: results of one chunk up to this size come with the answer where the client leaves it to the service.
_INLINE_BYTES = 5 * 1024 * 1024
_LINKED = "/__harness__/sql/results/{statement_id}/{chunk_index}"
Json = dict[str, object]
Asked = TypeVar("Asked", ExecuteRequest, CreateSessionRequest)


def routes(
    service: StatementService, *, host_url: str, user: str, catalog_of: Callable[[str], str | None] = lambda _: None
) -> list[AnyRoute]:
    """Return the routes of statements, and of the warehouse that executes them. `catalog_of` says where a user's statements begin."""

    def execute(call: Call) -> object:
        asked = _from(call.json(ExecuteRequest), catalog_of(call.user))
        return _shown(service, service.execute(asked, call.user), host_url)

    def get(call: Call) -> object:
        return _shown(service, service.get(call.params["statement_id"]), host_url)

    def chunk(call: Call) -> object:
        statement, result, found = service.chunk(call.params["statement_id"], _number(call.params["chunk_index"], "chunk_index"))
        return _data(service, statement, result, found, host_url)

    def cancel(call: Call) -> object:
        service.cancel(call.params["statement_id"])
        return {}

    def forget(call: Call) -> object:
        service.forget(call.params["statement_id"])
        return {}

    def open_session(call: Call) -> object:
        asked = _from(call.json(CreateSessionRequest), catalog_of(call.user))
        return {"session_id": service.sessions.open(asked, call.user)}

    def close_session(call: Call) -> object:
        service.sessions.close(call.params["session_id"])
        return {}

    def linked(call: Call) -> object:
        index, until = _number(call.params["chunk_index"], "chunk_index"), _number(call.require("until"), "until")
        signature = call.require("signature")
        content, result = service.linked(call.path, call.params["statement_id"], index, until=until, signature=signature)
        return Response(content, media_type=CONTENT_TYPES[result.format])

    return [
        Route("POST", STATEMENTS, execute, f"{DOC}/executestatement"),
        Route("GET", STATEMENT, get, f"{DOC}/getstatement"),
        Route("GET", f"{STATEMENT}/result/chunks/{{chunk_index}}", chunk, f"{DOC}/getstatementresultchunkn"),
        Route("POST", f"{STATEMENT}/cancel", cancel, f"{DOC}/cancelexecution"),
        Route("DELETE", STATEMENT, forget, _CONNECTOR),
        Route("POST", SESSIONS, open_session, _CONNECTOR),
        Route("DELETE", f"{SESSIONS}/{{session_id}}", close_session, _CONNECTOR),
        Route("GET", _LINKED, linked, "docs/coverage.md", public=True),
        *warehouse_routes(host_url, user),
    ]


def _from(asked: Asked, catalog: str | None) -> Asked:
    """Return what is asked with the catalog in which it begins when it names none; statements of a session begin where that stands."""
    stands = asked.session_id if isinstance(asked, ExecuteRequest) else None
    return asked if asked.catalog is not None or stands is not None else msgspec.structs.replace(asked, catalog=catalog)


def _shown(service: StatementService, statement: Statement, host_url: str) -> Json:
    result = statement.result
    shown: Json = {"statement_id": statement.id, "status": statement.status}
    if result is None:
        return shown
    chunks = [{"chunk_index": each.index, "row_offset": each.offset, "row_count": each.rows} for each in result.chunks]
    manifest: Json = {
        "format": result.format,
        "schema": {"column_count": len(result.columns), "columns": result.columns},
        "total_chunk_count": len(chunks),
        "chunks": chunks,
        "total_row_count": result.rows,
        "truncated": result.truncated,
    }
    if statement.request.disposition != "INLINE":
        manifest["total_byte_count"] = result.size
    return {**shown, "manifest": manifest, "result": _data(service, statement, result, result.chunks[0], host_url)}


def _data(service: StatementService, statement: Statement, result: Result, chunk: Chunk, host_url: str) -> Json:
    place: Json = {"chunk_index": chunk.index, "row_offset": chunk.offset, "row_count": chunk.rows}
    if chunk.index + 1 < len(result.chunks):
        place["next_chunk_index"] = chunk.index + 1
        place["next_chunk_internal_link"] = f"{STATEMENTS}/{statement.id}/result/chunks/{chunk.index + 1}"
    disposition = statement.request.disposition
    if disposition != "EXTERNAL_LINKS" and result.format == "JSON_ARRAY":
        return {**place, "data_array": result.rows_of(chunk)}
    if disposition == "INLINE_OR_EXTERNAL_LINKS" and len(result.chunks) == 1 and result.size <= _INLINE_BYTES:
        return {**place, "attachment": b64encode(result.written(chunk)).decode()}
    link, until = service.link(statement, chunk)
    share = result.size * chunk.rows // result.rows if result.rows else 0
    return {
        "external_links": [
            {
                **place,
                "external_link": f"{host_url.rstrip('/')}{link}",
                "expiration": f"{until:%Y-%m-%dT%H:%M:%S}.000Z",
                "byte_count": share,
            }
        ]
    }


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"{name} '{text}': expected a number")
    return int(text)
