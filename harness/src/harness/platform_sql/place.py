"""Where a session stands: names that are not whole begin there. Pure."""

from dataclasses import dataclass

from harness.names import FullName, check_name
from harness.platform_sql.model import Names, Securable
from harness.platform_sql.words import one, too_many

_NAMED = {"volume", "table", "function"}


@dataclass(frozen=True, slots=True)
class Place:
    """The current catalog and schema."""

    catalog: str
    schema: str

    def full_name(self, names: Names, kind: str) -> FullName:
        """Return the whole name of a volume, table or function."""
        if len(names) > 3:
            raise too_many(names, 3)
        whole = (*(self.catalog, self.schema)[: 3 - len(names)], *names)
        kinds = ("catalog", "schema", kind)
        return FullName(*(check_name(part, what) for part, what in zip(whole, kinds, strict=True)))

    def schema_name(self, names: Names) -> str:
        """Return the whole name of a schema, the current one when `names` is empty."""
        if len(names) > 2:
            raise too_many(names, 2)
        catalog, schema = (self.catalog, *(names or (self.schema,)))[-2:]
        return f"{check_name(catalog, 'catalog')}.{check_name(schema, 'schema')}"

    def name_of(self, securable: Securable) -> str:
        """Return the whole name of a securable, as REST writes it."""
        if securable.kind in _NAMED:
            return str(self.full_name(securable.names, securable.kind))
        if securable.kind == "column":
            *table, column = securable.names
            return f"{self.full_name(tuple(table), 'table')}.{column}"
        return self.schema_name(securable.names) if securable.kind == "schema" else check_name(one(securable.names), securable.kind)
