"""How the engine asks: `POST /__harness__/platform-sql`."""

import msgspec
from starlette.responses import Response

from harness.http import AnyRoute, Call, Route
from harness.platform_sql.model import PATH, SqlError
from harness.platform_sql.service import PlatformSql


class _Asked(msgspec.Struct):
    statement: str
    values: list[str | None]
    catalog: str
    schema: str


def routes(service: PlatformSql) -> list[AnyRoute]:
    """Return the route that the engine's parser leads to."""

    def execute(call: Call) -> object:
        asked = call.json(_Asked)
        try:
            answer = service.execute(asked.statement, values=asked.values, catalog=asked.catalog, schema=asked.schema)
        except SqlError as error:
            body = {"condition": error.condition, "sql_state": error.sql_state, "message": error.message}
            return Response(msgspec.json.encode(body), status_code=400, media_type="application/json")
        return {"schema": answer.schema, "rows": answer.rows}

    return [Route("POST", PATH, execute, "docs/coverage.md")]
