"""The dashboards of monitors as pages: a list, a page for each, and each as one file."""

from urllib.parse import quote

from starlette.responses import Response

from harness.dashboard.monitor.render import Addresses, served_policy
from harness.dashboard.monitor.service import Boards
from harness.http import AnyRoute, Call, Route

PREFIX = "/__harness__/monitors"
_DOC = "docs/monitoring.md"
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


def board_routes(boards: Boards) -> list[AnyRoute]:
    """Return the routes; all of them only read."""

    def list_(_: Call) -> Response:
        return _page(boards.list(_address))

    def page(call: Call) -> Response:
        table = call.params["table_name"]
        here = _address(table.lower())
        return _page(boards.page(table, call.query, addresses=Addresses(PREFIX, here, f"{here}/file")))

    def file(call: Call) -> Response:
        table = call.params["table_name"]
        name = quote(f"{table}-monitor.html")
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(boards.file(table), headers=_HEADERS | headers, media_type="text/html")

    return [
        Route("GET", PREFIX, list_, _DOC),
        Route("GET", f"{PREFIX}/{{table_name}}", page, _DOC),
        Route("GET", f"{PREFIX}/{{table_name}}/file", file, _DOC),
    ]


def _address(table: str) -> str:
    return f"{PREFIX}/{quote(table, safe='')}"


def _page(text: str) -> Response:
    return Response(text, headers=_HEADERS | {"Content-Security-Policy": served_policy()}, media_type="text/html")
