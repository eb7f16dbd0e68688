"""From the text of a statement to what it says. Pure."""

import re
from functools import cache
from importlib import resources
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from harness.errors import NotEmulated
from harness.platform_sql import model
from harness.platform_sql.model import Securable, SqlError, Statement

_KINDS = {"database": "schema", "view": "table"}
_NOT_EMULATED = (
    (re.compile(r"\b(SET|UNSET)\s+TAGS?\b", re.IGNORECASE), "tags (SET TAGS, UNSET TAGS)"),
    (re.compile(r"^\s*ALTER\s+CATALOG\b", re.IGNORECASE), "ALTER CATALOG"),
    (re.compile(r"\bOWNER\s+TO\b", re.IGNORECASE), "owners (OWNER TO)"),
)


def read(sql: str) -> Statement:
    """Return what `sql` says, or raise `SqlError` for what no such statement says and `NotEmulated` for what the harness lacks."""
    try:
        tree = _parser().parse(sql)
    except UnexpectedInput as error:
        for pattern, what in _NOT_EMULATED:
            if pattern.search(sql):
                raise NotEmulated(f"SQL: {what}") from error
        raise _syntax_error(error) from error
    try:
        said: Statement = _Reader().transform(tree)
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


class _Clause(tuple[str, Any]):
    """A named part of a statement that may be left out."""

    __slots__ = ()


def _clauses(parts: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    return [part for part in parts if not isinstance(part, _Clause)], dict(part for part in parts if isinstance(part, _Clause))


class _Reader(Transformer[Token, Any]):
    """One method a rule of the grammar."""

    def start(self, parts: list[Any]) -> Any:
        return parts[0]

    def create_catalog(self, parts: list[Any]) -> Any:
        (name,), given = _clauses(parts)
        if "location" in given:
            raise NotEmulated("SQL: CREATE CATALOG … MANAGED LOCATION")
        return model.CreateCatalog(name, "if_not_exists" in given, given.get("comment", ""))

    def drop_catalog(self, parts: list[Any]) -> Any:
        (name,), given = _clauses(parts)
        return model.DropCatalog(name, "if_exists" in given, given.get("mode") == "cascade")

    def show_catalogs(self, parts: list[Any]) -> Any:
        return model.ShowCatalogs(_clauses(parts)[1].get("like", "*"))

    def describe_catalog(self, parts: list[Any]) -> Any:
        (name,), given = _clauses(parts)
        return model.DescribeCatalog(name, "extended" in given)

    def create_volume(self, parts: list[Any]) -> Any:
        (names,), given = _clauses(parts)
        if {"external", "location"} & set(given):
            raise NotEmulated("SQL: CREATE EXTERNAL VOLUME")
        return model.CreateVolume(names, "if_not_exists" in given, given.get("comment", ""))

    def drop_volume(self, parts: list[Any]) -> Any:
        (names,), given = _clauses(parts)
        return model.DropVolume(names, "if_exists" in given)

    def rename_volume(self, parts: list[Any]) -> Any:
        return model.RenameVolume(*parts)

    def show_volumes(self, parts: list[Any]) -> Any:
        given = _clauses(parts)[1]
        return model.ShowVolumes(given.get("schema", ()), given.get("like", "*"))

    def describe_volume(self, parts: list[Any]) -> Any:
        return model.DescribeVolume(*parts)

    def comment(self, parts: list[Any]) -> Any:
        kind, names, text = parts
        return model.Comment(Securable(kind, names), text)

    def grant(self, parts: list[Any]) -> Any:
        privileges, securable, principal = parts
        return model.ChangeGrants(principal, privileges, securable, grant=True)

    def revoke(self, parts: list[Any]) -> Any:
        privileges, securable, principal = parts
        return model.ChangeGrants(principal, privileges, securable, grant=False)

    def show_grants(self, parts: list[Any]) -> Any:
        return model.ShowGrants(parts[-1], parts[0] if len(parts) > 1 else "")

    def list_files(self, parts: list[Any]) -> Any:
        return model.ListFiles(parts[0], int(parts[1]) if len(parts) > 1 else None)

    def if_not_exists(self, _: list[Any]) -> Any:
        return _Clause(("if_not_exists", True))

    def if_exists(self, _: list[Any]) -> Any:
        return _Clause(("if_exists", True))

    def extended(self, _: list[Any]) -> Any:
        return _Clause(("extended", True))

    def external(self, _: list[Any]) -> Any:
        return _Clause(("external", True))

    def null(self, _: list[Any]) -> Any:
        return ""

    def drop_mode(self, parts: list[Any]) -> Any:
        return _Clause(("mode", parts[0].lower()))

    def comment_clause(self, parts: list[Any]) -> Any:
        return _Clause(("comment", parts[0]))

    def location_clause(self, parts: list[Any]) -> Any:
        return _Clause(("location", parts[0]))

    def like(self, parts: list[Any]) -> Any:
        return _Clause(("like", parts[0]))

    def in_schema(self, parts: list[Any]) -> Any:
        return _Clause(("schema", parts[0]))

    def commented(self, parts: list[Any]) -> Any:
        return parts[0].lower()

    def securable(self, parts: list[Any]) -> Any:
        kind = parts[0] if len(parts) > 1 else "table"
        return Securable(_KINDS.get(kind, kind), parts[-1])

    def kind(self, parts: list[Any]) -> Any:
        return parts[0].lower()

    def privileges(self, parts: list[Any]) -> Any:
        return tuple(parts)

    def privilege(self, parts: list[Any]) -> Any:
        return " ".join(parts).upper()

    def names(self, parts: list[Any]) -> Any:
        return tuple(parts)

    def name(self, parts: list[Any]) -> Any:
        given = str(parts[0])
        return given[1:-1].replace("``", "`") if given.startswith("`") else given

    def text(self, parts: list[Any]) -> Any:
        quote, inside = parts[0][0], parts[0][1:-1]
        return re.sub(r"\\(.)", r"\1", inside.replace(quote * 2, quote), flags=re.DOTALL)
