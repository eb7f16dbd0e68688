"""Three-level names, as Unity Catalog writes them."""

import re
from dataclasses import dataclass

from harness.errors import ApiError

# Assumption: the characters Unity Catalog refuses in object names (docs: "names can't include period, space, slash,
# control characters"). We refuse besides whatever could leave the state folder.
_REFUSED = re.compile(r"[./\\\s\x00-\x1f\x7f]")
MAX_LENGTH = 255


def check_name(name: str, what: str) -> str:
    """Return `name` lower-cased, or raise the platform's 400 when it cannot be the name of a `what`."""
    if not name or len(name) > MAX_LENGTH or _REFUSED.search(name):
        message = f"Invalid input: {what} name {name!r} is not valid; 1 to 255 characters, no period, space, slash or control character"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return name.lower()


@dataclass(frozen=True, slots=True, order=True)
class FullName:
    """`catalog.schema.name` of a table, volume, model or function."""

    catalog: str
    schema: str
    name: str

    @classmethod
    def parse(cls, text: str, what: str = "table") -> "FullName":
        """Return the parts of `text` (back-ticks allowed round a part), or raise the platform's 400."""
        parts = text.replace("`", "").split(".")
        if len(parts) != 3:
            message = f"'{text}' is not a valid {what} name; expected catalog_name.schema_name.{what}_name"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        kinds = ("catalog", "schema", what)
        return cls(*(check_name(part, kind) for part, kind in zip(parts, kinds, strict=True)))

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.name}"
