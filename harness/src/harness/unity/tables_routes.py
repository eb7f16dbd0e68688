"""HTTP of tables and of their keys."""

import re
from functools import partial

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.http import AnyRoute, Call, Route
from harness.names import FullName, check_name
from harness.unity import pages, rendering
from harness.unity.model import Constraint
from harness.unity.securables_routes import asked_schema
from harness.unity.service import UnityService

_DOC = "https://docs.databricks.com/api/workspace"
_PREFIX = "/api/2.1/unity-catalog"
_USERNAMES = frozenset({"owner", "created_by", "updated_by"})


class _Update(msgspec.Struct):
    owner: str | None = None


class _PrimaryKey(msgspec.Struct):
    name: str
    child_columns: list[str] = []
    timeseries_columns: list[str] = []
    rely: bool = False


class _ForeignKey(msgspec.Struct):
    name: str
    parent_table: str
    child_columns: list[str] = []
    parent_columns: list[str] = []
    rely: bool = False


class _Key(msgspec.Struct):
    primary_key_constraint: _PrimaryKey | None = None
    foreign_key_constraint: _ForeignKey | None = None
    named_table_constraint: msgspec.Raw = msgspec.Raw()


class _CreateKey(msgspec.Struct):
    full_name_arg: str
    constraint: _Key


def tables_routes(service: UnityService) -> list[AnyRoute]:
    """Return the routes of `w.tables` and `w.table_constraints`."""
    return [*_table_routes(service), *_list_routes(service), *_key_routes(service)]


def _table_routes(service: UnityService) -> list[AnyRoute]:
    def get(call: Call) -> object:
        return rendering.table(service.relations.get(FullName.parse(call.params["name"])))

    def exists(call: Call) -> object:
        try:
            service.relations.get(FullName.parse(call.params["name"]))
        except ApiError as error:
            if error.status == 404:
                return {"table_exists": False}
            raise
        return {"table_exists": True}

    def update(call: Call) -> object:
        owner = call.json(_Update).owner
        if owner is None:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"PATCH {call.path}: nothing to update; expected owner")
        service.relations.change_owner(FullName.parse(call.params["name"]), owner)
        return {}

    def delete(call: Call) -> object:
        service.relations.delete(FullName.parse(call.params["name"]))
        return {}

    one = f"{_PREFIX}/tables/{{name}}"
    return [
        Route("GET", one, get, f"{_DOC}/tables/get"),
        Route("GET", f"{one}/exists", exists, f"{_DOC}/tables/exists"),
        Route("PATCH", one, update, f"{_DOC}/tables/update"),
        Route("DELETE", one, delete, f"{_DOC}/tables/delete"),
        Route("GET", "/api/2.0/unity-catalog/tables/{name}", get, "mlflow: mlflow/data/delta_dataset_source.py"),  # for a data set's table
    ]


def _list_routes(service: UnityService) -> list[AnyRoute]:
    def list_tables(call: Call) -> object:
        catalog, schema = asked_schema(call)
        names = pages.page(service.relations.names(catalog, schema), pages.asked(call.query), lambda each: each.name)
        omitted = {"columns": "omit_columns", "properties": "omit_properties"}
        omit = frozenset(field for field, switch in omitted.items() if _is_on(call, switch))
        render = partial(rendering.table, whole=False, omit=omit | (_USERNAMES if _is_on(call, "omit_username") else frozenset()))
        found = pages.Page(service.relations.named(names.items), names.next_page_token)
        service.namespaces.schema(catalog, schema)  # renamed meanwhile: not there, rather than empty
        return found.body("tables", render)

    def summaries(call: Call) -> object:
        catalog = check_name(call.require("catalog_name"), "catalog")
        patterns = [_like(call.query.get(key, "")) for key in ("schema_name_pattern", "table_name_pattern")]
        every = [
            (str(name), kind)
            for name, kind in service.table_kinds(catalog)
            if patterns[0].fullmatch(name.schema) and patterns[1].fullmatch(name.name)
        ]
        wanted = pages.asked(call.query, unless_said=pages.LONG_PAGE_SIZE, most=pages.LONG_PAGE_SIZE)
        return pages.page(sorted(every), wanted, lambda each: each[0]).body("tables", lambda each: rendering.summary(*each))

    return [
        Route("GET", f"{_PREFIX}/tables", list_tables, f"{_DOC}/tables/list"),
        Route("GET", f"{_PREFIX}/table-summaries", summaries, f"{_DOC}/tables/listsummaries"),
    ]


def _key_routes(service: UnityService) -> list[AnyRoute]:
    keys = service.constraints

    def create(call: Call) -> object:
        asked = call.json(_CreateKey)
        return rendering.constraint(keys.create(FullName.parse(asked.full_name_arg), _constraint(call, asked.constraint)))

    def delete(call: Call) -> object:
        name, cascade = call.require("constraint_name"), call.query.get("cascade", "false").lower() == "true"
        keys.delete(FullName.parse(call.params["name"]), name, cascade=cascade)
        return {}

    return [
        Route("POST", f"{_PREFIX}/constraints", create, f"{_DOC}/tableconstraints/create"),
        Route("DELETE", f"{_PREFIX}/constraints/{{name}}", delete, f"{_DOC}/tableconstraints/delete"),
    ]


def _constraint(call: Call, asked: _Key) -> Constraint:
    primary, foreign = asked.primary_key_constraint, asked.foreign_key_constraint
    if bytes(asked.named_table_constraint):
        raise NotEmulated(f"POST {call.path} with named_table_constraint")
    key = primary or foreign
    if key is None or (primary is not None and foreign is not None):
        message = f"POST {call.path}: constraint: expected one of primary_key_constraint and foreign_key_constraint"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return Constraint(**msgspec.structs.asdict(key))


def _is_on(call: Call, switch: str) -> bool:
    return call.query.get(switch, "false").lower() == "true"


def _like(pattern: str) -> re.Pattern[str]:
    """Return an SQL LIKE pattern (`%` and `_`) as a regular expression; an empty one lets everything through."""
    if not pattern:
        return re.compile(".*", re.DOTALL)
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(each, re.escape(each)) for each in pattern.lower()), re.DOTALL)
