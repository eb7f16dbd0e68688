"""Three-level names, as Unity Catalog writes them."""

import re
from dataclasses import dataclass

from harness.errors import ApiError

# "Object names can't include period, space, forward slash, ASCII control characters or DEL":
# docs.databricks.com/aws/en/sql/language-manual/sql-ref-names. Assumption: no back-tick either (it quotes names), no other white space, no
# backslash, no half of a character. FolderCatalog's `Folders` refuses the same.
_REFUSED = re.compile(r"[./\\`\s\x00-\x1f\x7f\ud800-\udfff]")
MAX_LENGTH = 255
# A part of a full name as SQL quotes it; only what needs no quotes can be a name here, so nothing is escaped inside.
_QUOTED = re.compile(r"`(.*)`", re.DOTALL)
_RESERVED = frozenset({"__harness"})  # the Spark catalog of the harness's own statements


def check_name(name: str, what: str) -> str:
    """Return `name` lower-cased, or raise the platform's 400 when it cannot be the name of a `what`.

    Names are folders here, and folders have names of at most 255 bytes: a longer one in another alphabet is refused too.
    """
    lowered = name.lower()
    if not name or _REFUSED.search(name) or len(name) > MAX_LENGTH or _bytes(lowered) > MAX_LENGTH or lowered in _RESERVED:
        shown = name if len(name) <= MAX_LENGTH else f"{name[:MAX_LENGTH]}…"
        message = f"Invalid input: {what} name {shown!r} is not valid; 1 to 255 characters, no period, space, slash or control character"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return lowered


def split_name(text: str, *kinds: str) -> tuple[str, ...]:
    """Return the parts of a full name (back-ticks allowed round each), one for each of `kinds`, or raise the platform's 400.

    >>> split_name("main.`Sales`", "catalog", "schema")
    ('main', 'sales')
    """
    parts = [_unquoted(part) for part in text.split(".")]
    if len(parts) != len(kinds):
        expected = ".".join(f"{kind}_name" for kind in kinds)
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"'{text[:1024]}' is not a valid {kinds[-1]} name; expected {expected}")
    return tuple(check_name(part, kind) for part, kind in zip(parts, kinds, strict=True))


def moved(name: str, origin: str, target: str) -> str | None:
    """Return what `name` is called when `origin` is called `target`; None when it is neither that nor in it.

    >>> moved("main.sales.orders", "main.sales", "main.old"), moved("main.sales_2.orders", "main.sales", "main.old")
    ('main.old.orders', None)
    """
    return target + name[len(origin) :] if f"{name}.".startswith(f"{origin}.") else None


def _unquoted(part: str) -> str:
    quoted = _QUOTED.fullmatch(part)
    return quoted[1] if quoted else part


def _bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


@dataclass(frozen=True, slots=True, order=True)
class FullName:
    """`catalog.schema.name` of a table, volume, model or function."""

    catalog: str
    schema: str
    name: str

    @classmethod
    def parse(cls, text: str, what: str = "table") -> "FullName":
        """Return the parts of `text` (back-ticks allowed round a part), or raise the platform's 400."""
        return cls(*split_name(text, "catalog", "schema", what))

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"
