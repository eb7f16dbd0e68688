"""Functions: made by Spark, also when REST asks for one; it keeps them in a schema's folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from harness.errors import ApiError
from harness.names import FullName, check_name
from harness.unity import records
from harness.unity.folders import Folders
from harness.unity.function_sql import AskedFunction, create_statement
from harness.unity.model import INFORMATION_SCHEMA, TableNotes
from harness.unity.ports import RunSql
from harness.unity.records import Function, Record

Note = Callable[[str, Callable[[TableNotes], TableNotes]], TableNotes]
_API_NAMES = {"BIGINT": "LONG", "SMALLINT": "SHORT", "TINYINT": "BYTE", "INTEGER": "INT"}
_AFTER_TYPE = re.compile(r"\s+(?:COMMENT|DEFAULT|NOT\s+NULL)\b", re.IGNORECASE)
_COMMENT = re.compile(r"\bCOMMENT\s+'((?:[^'\\]|\\.|'')*)'", re.IGNORECASE | re.DOTALL)
_DEFAULT = re.compile(r"\bDEFAULT\s+(.*?)(?=\s+COMMENT\s+'|$)", re.IGNORECASE | re.DOTALL)
_OPENING, _CLOSING = "(<[", ")>]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function, or a column of what it returns."""

    name: str
    type_text: str
    type_name: str
    position: int
    parameter_default: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One function."""

    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    function_id: str
    data_type: str
    full_data_type: str
    routine_definition: str
    parameters: list[Parameter]
    returned: list[Parameter]
    owner: str
    created_at: int
    updated_at: int
    is_deterministic: bool
    sql_data_access: str
    comment: str | None = None
    routine_body: str = "SQL"
    external_language: str | None = None


class Functions:
    """Functions of schemas."""

    def __init__(self, *, folders: Folders, user: str, note: Note, run_sql: RunSql) -> None:
        self._folders = folders
        self._user = user
        self._note = note
        self._run_sql = run_sql

    def names(self, catalog: str, schema: str) -> list[FullName]:
        """Return the names of the functions of a schema, in order."""
        if schema == INFORMATION_SCHEMA:
            self._folders.catalog(catalog)
            return []
        with self._folders.still:
            return [FullName(catalog, schema, name) for name in records.names(self._folders.schema(catalog, schema), ".functions")]

    def in_schema(self, catalog: str, schema: str) -> list[FunctionInfo]:
        """Return the functions of a schema, in name order."""
        with self._folders.still:
            found = [(name, records.find(self._folder(name), ".functions", name.name)) for name in self.names(catalog, schema)]
        return [self._told(name, record) for name, record in found if record]

    def get(self, name: FullName) -> FunctionInfo:
        """Return a function, or raise the platform's 404."""
        found = records.find(self._folder(name), ".functions", name.name)
        if found is None:
            raise ApiError(404, "FUNCTION_DOES_NOT_EXIST", f"Function '{name}' does not exist.")
        return self._told(name, found)

    def create(self, asked: AskedFunction, *, user: str) -> FunctionInfo:
        """Make a function, or raise the platform's error for one that cannot be."""
        names = ((asked.catalog_name, "catalog"), (asked.schema_name, "schema"), (asked.name, "function"))
        name = FullName(*(check_name(part, kind) for part, kind in names))
        if name in self.names(name.catalog, name.schema):
            raise ApiError(400, "FUNCTION_ALREADY_EXISTS", f"Function '{name}' already exists")  # Assumption: as of tables and schemas
        self._run_sql(create_statement(name, asked))
        return self.get(name) if user in {"", self._user} else self.change_owner(name, user)

    def change_owner(self, name: FullName, owner: str) -> FunctionInfo:
        """Make `owner` the owner of a function."""
        if not owner:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Function '{name}': owner must not be empty")
        self._note(self.get(name).function_id, lambda notes: replace(notes, owner=owner))
        return self.get(name)

    def delete(self, name: FullName) -> None:
        """Remove a function."""
        self.get(name)
        if not records.remove(self._folder(name), ".functions", name.name):
            self.get(name)  # another was first: not found

    def _folder(self, name: FullName) -> Path:
        return self._folders.schema(name.catalog, name.schema)

    def _told(self, name: FullName, record: Record) -> FunctionInfo:
        assert isinstance(record.content, Function)  # noqa: S101 - the record of a function
        kept = {key.removeprefix("sqlFunction."): value for key, value in _usage.decode(record.content.usage).items()}
        python = record.content.python
        is_table = kept.get("isTableFunc") == "true"
        returns = kept.get("returnType", "")
        return FunctionInfo(
            name=name.name,
            catalog_name=name.catalog,
            schema_name=name.schema,
            full_name=str(name),
            function_id=record.id,
            data_type="TABLE_TYPE" if is_table else type_name(returns),
            full_data_type=f"TABLE ({returns})" if is_table else returns,
            routine_definition=kept.get("expression") or kept.get("query", "") if python is None else python,
            parameters=parameters(kept.get("inputParam", "")),
            returned=parameters(returns) if is_table else [],
            owner=self._note(record.id, lambda notes: notes).owner or self._user,
            created_at=int(kept.get("createTime", record.changed_at)),
            updated_at=record.changed_at,
            is_deterministic=kept.get("deterministic") != "false",
            sql_data_access=_access(python, contains_sql=kept.get("containsSQL") == "true"),
            comment=kept.get("comment"),
            routine_body="SQL" if python is None else "EXTERNAL",
            external_language=None if python is None else "PYTHON",
        )


_usage = msgspec.json.Decoder(dict[str, str])


def _access(python: str | None, *, contains_sql: bool) -> str:
    if python is not None:
        return "NO_SQL"  # Assumption: as a body in Python holds none
    return "CONTAINS_SQL" if contains_sql else "READS_SQL_DATA"


def type_name(text: str) -> str:
    """Return the API's name of a SQL type.

    >>> type_name("array<bigint>"), type_name("bigint")
    ('ARRAY', 'LONG')
    """
    base = re.split(r"[(<\s]", text.strip().upper(), maxsplit=1)[0]
    return _API_NAMES.get(base, base)


def parameters(text: str) -> list[Parameter]:
    """Return the parameters that a function was declared with.

    >>> [(one.name, one.type_text, one.parameter_default) for one in parameters("x DECIMAL(10, 2), y INT DEFAULT 1 COMMENT 'a, b'")]
    [('x', 'DECIMAL(10, 2)', None), ('y', 'INT', '1')]
    """
    return [_parameter(position, each) for position, each in enumerate(_parts(text))]


def _parameter(position: int, text: str) -> Parameter:
    name, _, rest = text.partition(" ")
    type_, comment, default = _AFTER_TYPE.split(rest, maxsplit=1)[0].strip(), _COMMENT.search(rest), _DEFAULT.search(rest)
    return Parameter(
        name=name.strip("`"),
        type_text=type_,
        type_name=type_name(type_),
        position=position,
        parameter_default=default[1] if default else None,
        comment=comment[1] if comment else None,
    )


def _parts(text: str) -> list[str]:
    """Return what commas part that are in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for each in text:
        if quote:
            quote = "" if each == quote else quote
        elif each in "'\"`":
            quote = each
        else:
            depth += (each in _OPENING) - (each in _CLOSING)
        if each == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += each
    return [part.strip() for part in parts if part.strip()]
