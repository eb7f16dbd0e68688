"""Primary and foreign keys of tables: declared and told, and held to nothing, there as here."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from harness.errors import ApiError, NotEmulated
from harness.names import FullName
from harness.unity.model import Constraint, TableInfo, TableNotes
from harness.unity.tables import Tables


class Constraints:
    """Kept by the table's id: a table made again has none."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def create(self, name: FullName, constraint: Constraint) -> Constraint:
        """Declare a key of a table, or raise the platform's error for one that cannot be."""
        table = self._tables.get(name)
        parent = self._tables.get(FullName.parse(constraint.parent_table)) if constraint.parent_table else None
        kept = replace(constraint, parent_table=parent.full_name) if parent else constraint
        _check_columns(table, kept.child_columns, nullable=parent is not None)
        if parent is not None:
            kept = _referring(kept, parent)
        # Assumption: the wording of all refusals here.
        if any(each.name.lower() == kept.name.lower() for each in table.constraints):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Constraint '{kept.name}' already exists in table '{name}'")
        if parent is None and any(not each.parent_table for each in table.constraints):
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Table '{name}' has a primary key already")
        self._tables.note(table.table_id, lambda notes: replace(notes, constraints=[*notes.constraints, kept]))
        return kept

    def delete(self, name: FullName, constraint: str, *, cascade: bool) -> None:
        """Forget a key; a primary key that foreign keys refer to goes only with those, when `cascade`."""
        table = self._tables.get(name)
        found = next((each for each in table.constraints if each.name.lower() == constraint.lower()), None)
        if found is None:
            raise ApiError(404, "CONSTRAINT_DOES_NOT_EXIST", f"Constraint '{constraint}' does not exist in table '{name}'.")
        referring = [] if found.parent_table else self._referring_to(table)
        if referring and not cascade:
            message = f"Constraint '{constraint}' of table '{name}' is referred to by {', '.join(referring)}; delete it with cascade"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        children = [self._tables.get(FullName.parse(each)) for each in referring]
        gone = [(table, [found]), *((child, _keys_to(table, child)) for child in children)]
        for owner, keys in gone:
            self._check_ours(owner, keys)
        for owner, keys in gone:
            self._tables.note(owner.table_id, partial(_without, gone=keys))

    def _check_ours(self, table: TableInfo, keys: Sequence[Constraint]) -> None:
        """Raise 501 for keys that SQL declared: they lie in the table's own properties, which only Spark takes away."""
        ours = self._tables.notes(table.table_id).constraints
        for key in keys:
            if key not in ours:
                use = f"ALTER TABLE {table.full_name} DROP CONSTRAINT {key.name}"
                raise NotEmulated(f"deleting over REST the key '{key.name}' that SQL declared (use {use})")

    def _referring_to(self, table: TableInfo) -> list[str]:
        every = self._tables.everywhere()
        return [each.full_name for each in every if any(key.parent_table == table.full_name for key in each.constraints)]


def _check_columns(table: TableInfo, wanted: Sequence[str], *, nullable: bool) -> None:
    known = {column.name: column for column in table.columns}
    if not wanted:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Table '{table.full_name}': a key needs columns")
    for name in wanted:
        if name not in known:
            message = f"Column '{name}' does not exist in table '{table.full_name}'; its columns are {', '.join(known)}"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        if known[name].nullable and not nullable:
            raise ApiError(
                400, "INVALID_PARAMETER_VALUE", f"Column '{name}' of table '{table.full_name}' is nullable: it cannot be in a primary key"
            )


def _referring(constraint: Constraint, parent: TableInfo) -> Constraint:
    """Return a foreign key with the columns it refers to: those of the parent's primary key."""
    key = next((each for each in parent.constraints if not each.parent_table), None)
    if key is None:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Table '{parent.full_name}' has no primary key to refer to")
    columns = constraint.parent_columns or key.child_columns
    if sorted(columns) != sorted(key.child_columns) or len(columns) != len(constraint.child_columns):
        message = f"A foreign key to table '{parent.full_name}' needs the columns of its primary key: {', '.join(key.child_columns)}"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return replace(constraint, parent_columns=columns)


def _keys_to(parent: TableInfo, child: TableInfo) -> list[Constraint]:
    return [key for key in child.constraints if key.parent_table == parent.full_name]


def _without(notes: TableNotes, *, gone: Sequence[Constraint]) -> TableNotes:
    return replace(notes, constraints=[each for each in notes.constraints if each not in gone])
