"""From the text of a statement to what it says. Pure."""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedInput, VisitError

from harness.errors import NotEmulated
from harness.platform_sql import model
from harness.platform_sql.model import Securable, SqlError, Statement
from harness.platform_sql.words import Words, clauses, one

_COLUMNS_OF = {"table", "view", "materialized view", "streaming table"}
_NOT_EMULATED = (
    (re.compile(r"\s*CREATE\s+FOREIGN\b", re.IGNORECASE), "CREATE FOREIGN CATALOG"),
    (re.compile(r".*\bUSING\s+SHARE\b", re.IGNORECASE | re.DOTALL), "CREATE CATALOG … USING SHARE"),
    (re.compile(r".*\bDEFAULT\s+COLLATION\b", re.IGNORECASE | re.DOTALL), "DEFAULT COLLATION"),
    (
        re.compile(r".*\b(METASTORE|CONNECTION|SERVER|SHARE|RECIPIENT|PROVIDER|CREDENTIAL|LOCATION|METADATA)\b", re.IGNORECASE | re.DOTALL),
        "securables outside catalogs",
    ),
    (re.compile(r"\s*LIST\b.*\bWITH\b", re.IGNORECASE | re.DOTALL), "LIST … WITH (CREDENTIAL …)"),
)


def read(sql: str, values: Sequence[str | None] = ()) -> Statement:
    """Return what `sql` says with `values` in the places `?0`, `?1` and so on.

    Raise `SqlError` for what no such statement says and `NotEmulated` for what the harness lacks.
    """
    try:
        tree = _parser().parse(sql)
    except UnexpectedInput as error:
        for pattern, what in _NOT_EMULATED:
            if pattern.match(sql):
                raise NotEmulated(f"SQL: {what}") from error
        raise _syntax_error(error) from error
    try:
        said: Statement = _Reader(values).transform(tree)
    except VisitError as error:
        raise error.orig_exc from error
    return said


def _syntax_error(error: UnexpectedInput) -> SqlError:
    near = getattr(error, "token", None) or getattr(error, "char", "")
    what = f"Syntax error at or near '{near}'" if near and str(near) else "Syntax error at or near end of input"
    return SqlError("PARSE_SYNTAX_ERROR", "42601", f"{what}. (line {error.line}, pos {max(error.column - 1, 0)})")


@cache
def _parser() -> Lark:
    return Lark(resources.files(__package__).joinpath("grammar.lark").read_text(), parser="lalr")


class _Reader(Words):
    """Statements: one method a rule of the grammar."""

    def start(self, parts: list[Any]) -> Any:
        return parts[0]

    def create_catalog(self, parts: list[Any]) -> Any:
        (name,), given = clauses(parts)
        if "location" in given:
            raise NotEmulated("SQL: CREATE CATALOG … MANAGED LOCATION")
        return model.CreateCatalog(one(name), "if_not_exists" in given, given.get("comment", ""), given.get("options", {}))

    def drop_catalog(self, parts: list[Any]) -> Any:
        (name,), given = clauses(parts)
        return model.DropCatalog(one(name), "if_exists" in given, given.get("mode") == "cascade")

    def show_catalogs(self, parts: list[Any]) -> Any:
        return model.ShowCatalogs(clauses(parts)[1].get("like", "*"))

    def describe_catalog(self, parts: list[Any]) -> Any:
        (name,), given = clauses(parts)
        return model.DescribeCatalog(one(name), "extended" in given)

    def create_volume(self, parts: list[Any]) -> Any:
        (names,), given = clauses(parts)
        if {"external", "location"} & set(given):
            raise NotEmulated("SQL: CREATE EXTERNAL VOLUME")
        return model.CreateVolume(names, "if_not_exists" in given, given.get("comment", ""))

    def drop_volume(self, parts: list[Any]) -> Any:
        (names,), given = clauses(parts)
        return model.DropVolume(names, "if_exists" in given)

    def rename_volume(self, parts: list[Any]) -> Any:
        (kind, of), to = parts
        if kind != "volume":
            raise NotEmulated(f"SQL: ALTER {kind.upper()} … RENAME TO")
        return model.RenameVolume(of.names, to)

    def show_volumes(self, parts: list[Any]) -> Any:
        given = clauses(parts)[1]
        return model.ShowVolumes(given.get("schema", ()), given.get("like", "*"))

    def describe_volume(self, parts: list[Any]) -> Any:
        return model.DescribeVolume(*parts)

    def change_owner(self, parts: list[Any]) -> Any:
        (_, of), principal = parts
        return model.ChangeOwner(of, principal)

    def optimize(self, parts: list[Any]) -> Any:
        (_, of), to = parts
        return model.ChangeOptimization(of, to)

    def drop_constraint(self, parts: list[Any]) -> Any:
        (tagged, name), given = clauses(parts)
        return self._drop_key(tagged, given, name=one(name))

    def drop_primary_key(self, parts: list[Any]) -> Any:
        (tagged,), given = clauses(parts)
        return self._drop_key(tagged, given)

    def drop_foreign_key(self, parts: list[Any]) -> Any:
        (tagged, *columns), given = clauses(parts)
        return self._drop_key(tagged, given, columns=tuple(map(one, columns)))

    def _drop_key(self, tagged: tuple[str, Securable], given: dict[str, Any], **key: Any) -> Any:
        kind, of = tagged
        if kind not in _COLUMNS_OF:
            raise SqlError("PARSE_SYNTAX_ERROR", "42601", f"Syntax error: a {kind} has no keys.")
        return model.DropKey(of.names, if_exists="if_exists" in given, cascade=given.get("mode") == "cascade", **key)

    def alter_options(self, parts: list[Any]) -> Any:
        (kind, of), options = parts
        if kind != "catalog":
            raise SqlError("PARSE_SYNTAX_ERROR", "42601", f"Syntax error: a {kind} has no options.")
        return model.ChangeOptions(one(of.names), options)

    def alter_tags(self, parts: list[Any]) -> Any:
        (_, on), change = parts
        return model.ChangeTags(on, **change)

    def alter_column_tags(self, parts: list[Any]) -> Any:
        (kind, of), column, change = parts
        if kind not in _COLUMNS_OF:
            raise SqlError("PARSE_SYNTAX_ERROR", "42601", f"Syntax error: a {kind} has no columns.")
        return model.ChangeTags(Securable("column", (*of.names, one(column))), **change)

    def set_tag(self, parts: list[Any]) -> Any:
        (_, on), (key, value) = parts
        return model.ChangeTags(on, put={key: value}, strict=True)

    def unset_tag(self, parts: list[Any]) -> Any:
        (_, on), key = parts
        return model.ChangeTags(on, drop=(key,), strict=True)

    def set_column_tag(self, parts: list[Any]) -> Any:
        return self.set_tag([("column", Securable("column", parts[0])), parts[1]])

    def unset_column_tag(self, parts: list[Any]) -> Any:
        return self.unset_tag([("column", Securable("column", parts[0])), parts[1]])

    def comment(self, parts: list[Any]) -> Any:
        kind, names, text = parts
        return model.Comment(Securable(kind, names), text)

    def grant(self, parts: list[Any]) -> Any:
        privileges, securable, principal = parts
        return model.ChangeGrants(one(principal), privileges, securable, grant=True)

    def revoke(self, parts: list[Any]) -> Any:
        privileges, securable, principal = parts
        return model.ChangeGrants(one(principal), privileges, securable, grant=False)

    def show_grants(self, parts: list[Any]) -> Any:
        return model.ShowGrants(parts[-1], one(parts[0]) if len(parts) > 1 else "")

    def list_files(self, parts: list[Any]) -> Any:
        (path,), given = clauses(parts)
        return model.ListFiles(path, given.get("limit"))
