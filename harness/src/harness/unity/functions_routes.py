"""HTTP of functions."""

from collections.abc import Sequence
from dataclasses import asdict

import msgspec

from harness.errors import ApiError
from harness.http import AnyRoute, Call
from harness.names import FullName
from harness.unity import pages
from harness.unity.function_sql import AskedFunction
from harness.unity.functions import FunctionInfo, Functions, Parameter
from harness.unity.model import METASTORE_ID
from harness.unity.securables_routes import asked_schema, five_routes, page_of


class _Create(msgspec.Struct):
    function_info: AskedFunction


class _Update(msgspec.Struct):
    owner: str | None = None


def functions_routes(functions: Functions) -> list[AnyRoute]:
    """Return the routes of `w.functions`."""

    def create(call: Call) -> object:
        return _function(functions.create(call.json(_Create).function_info, user=call.user))

    def listed(call: Call) -> object:
        return page_of("functions", functions.in_schema(*asked_schema(call)), pages.asked(call.query), _function)

    def update(call: Call) -> object:
        owner = call.json(_Update).owner
        if owner is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"PATCH {call.path}: nothing to update; expected owner")
        return _function(functions.change_owner(_name(call.params["name"]), owner))

    return five_routes(
        "functions",
        create=create,
        listed=listed,
        get=lambda name: _function(functions.get(_name(name))),
        update=update,
        delete=lambda call: functions.delete(_name(call.params["name"])),
    )


def _name(text: str) -> FullName:
    return FullName.parse(text, "function")


def _function(found: FunctionInfo) -> dict[str, object]:
    body = {key: value for key, value in asdict(found).items() if value is not None}
    del body["parameters"], body["returned"]
    more: dict[str, object] = {
        "specific_name": found.name,
        "input_params": {"parameters": _parameters(found.parameters)},
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
