"""Names, values and clauses: what the statements are made of. Pure."""
# ruff: noqa: D102 - a method is a rule of the grammar, which says what it is

import re
from collections.abc import Sequence
from typing import Any

from lark import Token, Transformer

from harness.platform_sql.model import Names, Securable, SqlError
from harness.unity.model import METASTORE_ID

# As SQL calls it -> as the API does. Assumption: a procedure is to tags, owners and privileges what a function is.
_KINDS = {
    "database": "schema",
    "view": "table",
    "materialized view": "table",
    "streaming table": "table",
    "model": "function",
    "procedure": "function",
}
_PART = re.compile(r"`((?:[^`]|``)+)`|([^`.\s]+)")


class _Clause(tuple[str, Any]):
    """A named part of a statement that may be left out."""

    __slots__ = ()


def clauses(parts: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the parts that a statement always has, and those it may leave out."""
    return [part for part in parts if not isinstance(part, _Clause)], dict(part for part in parts if isinstance(part, _Clause))


class Words(Transformer[Token, Any]):
    """Names, values and clauses: one method a rule of the grammar."""

    def __init__(self, values: Sequence[str | None]) -> None:
        super().__init__()
        self._values = values

    def VALUE(self, token: Token) -> str:  # noqa: N802 - the terminal's name
        at = int(token[1:])
        value = self._values[at] if at < len(self._values) else None
        if value is None:
            raise SqlError("UNEXPECTED_NULL", "22004", "A literal, a parameter or IDENTIFIER(…) of this statement is NULL.")
        return value

    def text(self, parts: list[Any]) -> Any:
        return parts[0]

    def name(self, parts: list[Any]) -> Any:
        written = "-".join(map(str, parts))
        if written.startswith("`"):
            return (written[1:-1].replace("``", "`"),)
        if "-" in written or not written.isascii():
            rule = "Unquoted identifiers can only contain ASCII letters, digits and underbars"
            message = f"The unquoted identifier {written} is invalid and must be back quoted as: `{written}`. {rule}."
            raise SqlError("INVALID_IDENTIFIER", "42602", message)
        return (written,)

    def computed(self, parts: list[Any]) -> Any:
        """Return the parts of a name that `IDENTIFIER(…)` gives, which may be several."""
        found, at = [], 0
        while part := _PART.match(parts[0], at):
            found.append(part[1].replace("``", "`") if part[1] else part[2])
            at = part.end() + 1
            if parts[0][part.end() : at] != ".":
                break
        if not found or at <= len(parts[0]):
            raise SqlError("PARSE_SYNTAX_ERROR", "42601", f"IDENTIFIER('{parts[0]}') is not a name.")
        return tuple(found)

    def names(self, parts: list[Any]) -> Any:
        return tuple(part for name in parts for part in name)

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

    def catalog_clause(self, parts: list[Any]) -> Any:
        return _Clause(("options", parts[0]))

    def options(self, parts: list[Any]) -> Any:
        return _unique(parts)

    def option(self, parts: list[Any]) -> Any:
        return tuple(parts)

    def like(self, parts: list[Any]) -> Any:
        return _Clause(("like", parts[0]))

    def limit(self, parts: list[Any]) -> Any:
        if not re.fullmatch("[0-9]+", parts[0]):
            raise SqlError(
                "INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE", "42K0E", f"The limit expression must be an integer, not '{parts[0]}'."
            )
        return _Clause(("limit", int(parts[0])))

    def in_schema(self, parts: list[Any]) -> Any:
        return _Clause(("schema", parts[0]))

    def owner_to(self, parts: list[Any]) -> Any:
        return one(parts[0])

    def optimization(self, parts: list[Any]) -> Any:
        return parts[0].upper()

    def commented(self, parts: list[Any]) -> Any:
        return parts[0].lower()

    def kind(self, parts: list[Any]) -> Any:
        return " ".join(parts).lower()

    def securable(self, parts: list[Any]) -> Any:
        kind = parts[0] if len(parts) > 1 else "table"
        return Securable(_KINDS.get(kind, kind), parts[-1])

    def metastore(self, _: list[Any]) -> Any:
        return Securable("metastore", (METASTORE_ID,))

    def tagged(self, parts: list[Any]) -> Any:
        return (parts[0], Securable(_KINDS.get(parts[0], parts[0]), parts[1]))

    def privileges(self, parts: list[Any]) -> Any:
        return tuple(parts)

    def privilege(self, parts: list[Any]) -> Any:
        return " ".join(parts).upper()

    def pair(self, parts: list[Any]) -> Any:
        return (parts[0], parts[1] if len(parts) > 1 else "")

    def tag(self, parts: list[Any]) -> Any:
        return self.pair(parts)

    def tag_key(self, parts: list[Any]) -> Any:
        return parts[0] if isinstance(parts[0], str) else one(parts[0])

    def set_tags(self, parts: list[Any]) -> Any:
        return {"put": _unique(parts)}

    def unset_tags(self, parts: list[Any]) -> Any:
        return {"drop": tuple(parts)}


def one(names: Names) -> str:
    """Return a name of one part, or say that it has too many."""
    if len(names) != 1:
        raise too_many(names, 1)
    return names[0]


def too_many(names: Names, limit: int) -> SqlError:
    """Return what is said of a name with more than `limit` parts."""
    shown = ".".join(f"`{part.replace('`', '``')}`" for part in names)
    message = f"{shown} is not a valid identifier as it has more than {limit} name parts."
    return SqlError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", message)


def _unique(pairs: list[Any]) -> dict[str, str]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise SqlError("DUPLICATE_KEY", "23505", f"Found duplicate keys `{twice}`.")
    return found
