"""HTTP of functions. Making them takes SQL: `CREATE FUNCTION`."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call, Route
from harness.names import FullName, check_name
from harness.unity import pages
from harness.unity.functions import FunctionInfo, Functions, Parameter
from harness.unity.model import METASTORE_ID

_DOC = "https://docs.databricks.com/api/workspace/functions"
_PATH = "/api/2.1/unity-catalog/functions"


class _Update(msgspec.Struct):
    owner: str | None = None


def functions_routes(functions: Functions) -> list[AnyRoute]:
    """Return the routes of `w.functions`."""

    def list_functions(call: Call) -> object:
        catalog, schema = check_name(call.require("catalog_name"), "catalog"), check_name(call.require("schema_name"), "schema")
        found = pages.page(functions.in_schema(catalog, schema), pages.asked(call.query), lambda each: each.name)
        return found.body("functions", _function)

    def get(call: Call) -> object:
        return _function(functions.get(FullName.parse(call.params["name"], "function")))

    def update(call: Call) -> object:
        owner = call.json(_Update).owner
        if owner is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"PATCH {call.path}: nothing to update; expected owner")
        return _function(functions.change_owner(FullName.parse(call.params["name"], "function"), owner))

    def delete(call: Call) -> object:
        functions.delete(FullName.parse(call.params["name"], "function"))
        return {}

    one = f"{_PATH}/{{name}}"
    return [
        Route("GET", _PATH, list_functions, f"{_DOC}/list"),
        Route("GET", one, get, f"{_DOC}/get"),
        Route("PATCH", one, update, f"{_DOC}/update"),
        Route("DELETE", one, delete, f"{_DOC}/delete"),
    ]


def _function(found: FunctionInfo) -> dict[str, object]:
    body = {key: value for key, value in asdict(found).items() if value is not None}
    del body["parameters"], body["returned"]
    more: dict[str, object] = {
        "specific_name": found.name,
        "input_params": {"parameters": _parameters(found.parameters)},
        "routine_body": "SQL",
        "parameter_style": "S",
        "is_null_call": True,
        "security_type": "DEFINER",
        "created_by": found.owner,
        "updated_by": found.owner,
        "metastore_id": METASTORE_ID,
    }
    returned = {"return_params": {"parameters": _parameters(found.returned)}} if found.returned else {}
    return {**body, **more, **returned}


def _parameters(found: Sequence[Parameter]) -> list[dict[str, object]]:
    return [{key: value for key, value in asdict(each).items() if value is not None} for each in found]
