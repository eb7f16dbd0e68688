"""The rows of an information schema about functions. Pure."""

from collections.abc import Iterator

from harness.unity import information as model
from harness.unity.functions import FunctionInfo, Parameter
from harness.unity.information import Row, Value

_TABLE = "TABLE_TYPE"


def routine(found: FunctionInfo) -> Row:
    """Return the row of a function in ROUTINES."""
    names = {**_specific(found), "routine_catalog": found.catalog_name, "routine_schema": found.schema_name, "routine_name": found.name}
    # Assumption: of a table function the type is TABLE.
    data_type: dict[str, Value] = {"data_type": "TABLE", "full_data_type": found.full_data_type}
    if found.data_type != _TABLE:
        data_type = _data_type(found.data_type, found.full_data_type)
    return model.ROUTINES.row(
        **names,
        routine_type="FUNCTION",
        **data_type,
        routine_body=found.routine_body,
        routine_definition=found.routine_definition,
        external_language=found.external_language,
        parameter_style="S",
        is_deterministic="YES" if found.is_deterministic else "NO",
        sql_data_access=found.sql_data_access,
        is_null_call="YES",
        security_type="DEFINER",
        as_locator="NO",
        comment=found.comment,
        created=found.created_at * 1000,
        created_by=found.owner,
        last_altered=found.updated_at * 1000,
        last_altered_by=found.owner,
    )


def parameters(found: FunctionInfo) -> Iterator[Row]:
    """Return the rows of a function in PARAMETERS."""
    fixed: dict[str, Value] = {"parameter_mode": "IN", "is_result": "NO", "as_locator": "NO"}
    for each in found.parameters:
        more: dict[str, Value] = {"parameter_name": each.name, "parameter_default": each.parameter_default}
        yield model.PARAMETERS.row(**_specific(found), **_described(each), **fixed, **more)


def columns(found: FunctionInfo) -> Iterator[Row]:
    """Return the rows of a table function in ROUTINE_COLUMNS. Assumption: the documentation's last column is a comment."""
    for each in found.returned:
        yield model.ROUTINE_COLUMNS.row(**_specific(found), **_described(each), column_name=each.name)


def _specific(found: FunctionInfo) -> dict[str, Value]:
    return {"specific_catalog": found.catalog_name, "specific_schema": found.schema_name, "specific_name": found.name}


def _described(each: Parameter) -> dict[str, Value]:
    return {"ordinal_position": each.position + 1, **_data_type(each.type_name, each.type_text), "comment": each.comment}


def _data_type(name: str, text: str) -> dict[str, Value]:
    precision, _, scale = text.partition("(")[2].rstrip(")").partition(",") if name == "DECIMAL" else ("", "", "")
    return model.data_type(name, text, int(precision or 10), scale=int(scale or 0))
