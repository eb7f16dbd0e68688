"""The statement that makes a function which was asked for over REST: Spark makes it, and says whether it can be. Pure."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from harness.errors import ApiError, NotEmulated
from harness.names import FullName

_ACCESS = {"CONTAINS_SQL": " CONTAINS SQL", "READS_SQL_DATA": " READS SQL DATA", "NO_SQL": ""}


class AskedParameter(msgspec.Struct):
    """A parameter, or a column of what is returned."""

    name: str
    type_text: str
    comment: str | None = None
    parameter_default: str | None = None


class AskedParameters(msgspec.Struct):
    """A list as the API has it."""

    parameters: list[AskedParameter] = []


class AskedFunction(msgspec.Struct):
    """`function_info` of `w.functions.create`; what is told there besides follows from these, or is of other languages."""

    name: str
    catalog_name: str
    schema_name: str
    full_data_type: str
    routine_body: Literal["SQL", "EXTERNAL"]
    routine_definition: str
    data_type: str = ""
    input_params: AskedParameters = msgspec.field(default_factory=AskedParameters)
    return_params: AskedParameters = msgspec.field(default_factory=AskedParameters)
    is_deterministic: bool = True
    sql_data_access: Literal["CONTAINS_SQL", "READS_SQL_DATA", "NO_SQL"] = "CONTAINS_SQL"
    is_null_call: bool = True
    comment: str | None = None
    external_language: str | None = None
    properties: str | None = None


def create_statement(name: FullName, asked: AskedFunction) -> str:
    """Return the `CREATE FUNCTION` of what is asked, or raise the error of what cannot be.

    >>> asked = AskedFunction("f", "main", "s", "INT", "SQL", "x + 1", input_params=AskedParameters([AskedParameter("x", "INT")]))
    >>> create_statement(FullName("main", "s", "f"), asked)
    'CREATE FUNCTION `main`.`s`.`f`(`x` INT) RETURNS INT DETERMINISTIC CONTAINS SQL RETURN x + 1'
    """
    if asked.routine_body != "SQL" or asked.external_language:
        raise NotEmulated(f"creating a function with routine_body={asked.routine_body} (only SQL is)")
    if not asked.is_null_call:
        raise NotEmulated("creating a function with is_null_call=false")
    if asked.properties not in {None, "", "{}"}:
        raise NotEmulated("creating a function with properties")
    if not asked.routine_definition.strip():
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Function '{name}': routine_definition must not be empty")
    is_table = asked.data_type == "TABLE_TYPE"
    returns = f"TABLE ({_listed(asked.return_params.parameters)})" if is_table else asked.full_data_type
    said = "" if asked.comment is None else f" COMMENT {_literal(asked.comment)}"
    certain = " DETERMINISTIC" if asked.is_deterministic else " NOT DETERMINISTIC"
    what = f"CREATE FUNCTION `{name.catalog}`.`{name.schema}`.`{name.name}`({_listed(asked.input_params.parameters)}) RETURNS {returns}"
    return f"{what}{said}{certain}{_ACCESS[asked.sql_data_access]} RETURN {asked.routine_definition}"


def _listed(parameters: Sequence[AskedParameter]) -> str:
    return ", ".join(map(_declared, parameters))


def _declared(each: AskedParameter) -> str:
    default = "" if each.parameter_default is None else f" DEFAULT {each.parameter_default}"
    said = "" if each.comment is None else f" COMMENT {_literal(each.comment)}"
    name = each.name.replace("`", "``")
    return f"`{name}` {each.type_text}{default}{said}"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
