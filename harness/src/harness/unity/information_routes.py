"""How the engine asks: `GET /__harness__/information-schema/{catalog}/{relation}`."""

from harness.http import AnyRoute, Call, Route
from harness.unity.information import PATH
from harness.unity.information_rows import InformationSchema


def information_routes(service: InformationSchema) -> list[AnyRoute]:
    """Return the route that the engine's catalogs lead to."""

    def rows(call: Call) -> object:
        return service.rows(call.params["catalog"], call.params["relation"])

    return [Route("GET", f"{PATH}/{{catalog}}/{{relation}}", rows, "docs/coverage.md")]
