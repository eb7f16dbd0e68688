"""Primary and foreign keys of tables: declared and told, and held to nothing, there as here. They lie in the tables' own logs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from harness.clock import Clock, millis
from harness.errors import ApiError, NotEmulated
from harness.names import FullName, check_name, moved
from harness.unity import keys
from harness.unity.delta_log import IN_COMMIT_TIMESTAMPS, Properties, change_properties
from harness.unity.model import Constraint, TableInfo
from harness.unity.relations import Relations


class Constraints:
    """Keys of Delta tables, managed or external; a table made again has none."""

    def __init__(self, relations: Relations, *, clock: Clock) -> None:
        self._relations = relations
        self._clock = clock

    def create(self, name: FullName, constraint: Constraint) -> Constraint:
        """Declare a key of a table, or raise the platform's error for one that cannot be."""
        table = self._relations.get(name)
        parent = self._relations.get(FullName.parse(constraint.parent_table)) if constraint.parent_table else None
        # Assumption: names of keys are lower-cased, as all names are; Spark does so too.
        kept = replace(constraint, name=check_name(constraint.name, "constraint"), parent_table=parent.full_name if parent else "")
        _check_columns(table, kept.child_columns, nullable=parent is not None)
        if parent is not None:
            kept = _referring(kept, parent)

        def declare(properties: Properties) -> Properties:
            _check_free(name, kept, keys.declared(properties))
            return {**properties, **keys.written(kept)}

        self._change(name, declare)
        return kept

    def delete(self, name: FullName, constraint: str, *, cascade: bool) -> None:
        """Forget a key; a primary key that foreign keys refer to goes only with those, when `cascade`."""
        table = self._relations.get(name)
        found = next((each for each in table.constraints if each.name == constraint.lower()), None)
        if found is None:
            raise _missing(name, f"Constraint '{constraint}'")
        self._drop(table, found, cascade=cascade)

    def delete_primary(self, name: FullName, *, cascade: bool) -> None:
        """Forget the primary key of a table."""
        table = self._relations.get(name)
        found = next((each for each in table.constraints if not each.parent_table), None)
        if found is None:
            raise _missing(name, "A primary key")
        self._drop(table, found, cascade=cascade)

    def delete_foreign(self, name: FullName, columns: Sequence[str]) -> None:
        """Forget the foreign key of a table that has these columns, in this order."""
        table, wanted = self._relations.get(name), _lowered(columns)
        found = next((each for each in table.constraints if each.parent_table and _lowered(each.child_columns) == wanted), None)
        if found is None:
            raise _missing(name, f"A foreign key ({', '.join(columns)})")
        self._drop(table, found, cascade=False)

    def follow(self, origin: str, target: str) -> None:
        """Let the foreign keys that refer to tables of a catalog or a schema name these as they are called now."""
        every = ((table, [_moved(key, origin, target) for key in table.constraints]) for table in self._relations.everywhere())
        referring = [(table, after) for table, after in every if after != table.constraints]
        for table, _ in referring:
            if table.properties.get(IN_COMMIT_TIMESTAMPS) == "true":
                message = f"renaming '{origin}' while '{table.full_name}' refers to it, whose log has {IN_COMMIT_TIMESTAMPS},"
                raise NotEmulated(message)
        for table, after in referring:
            properties = {name: value for key in after for name, value in keys.written(key).items()}
            self._change(FullName.parse(table.full_name), partial(_updated, properties))

    def _drop(self, table: TableInfo, key: Constraint, *, cascade: bool) -> None:
        referring = [] if key.parent_table else self._referring_to(table)
        if referring and not cascade:
            names = ", ".join(each.full_name for each in referring)
            message = f"Constraint '{key.name}' of table '{table.full_name}' is referred to by {names}; delete it with cascade"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        for child in referring:
            self._forget(child, _keys_to(table, child.constraints))
        self._forget(table, [key])

    def _forget(self, table: TableInfo, gone: Iterable[Constraint]) -> None:
        names = {name for key in gone for name in keys.written(key)}
        self._change(FullName.parse(table.full_name), lambda properties: {k: v for k, v in properties.items() if k not in names})

    def _change(self, name: FullName, change: Callable[[Properties], Properties]) -> None:
        change_properties(self._relations.log(name), change, now=millis(self._clock.now()))

    def _referring_to(self, table: TableInfo) -> list[TableInfo]:
        return [each for each in self._relations.everywhere() if _keys_to(table, each.constraints)]


def _moved(key: Constraint, origin: str, target: str) -> Constraint:
    return replace(key, parent_table=moved(key.parent_table, origin, target) or key.parent_table)


def _updated(after: Properties, before: Properties) -> Properties:
    return before | {name: value for name, value in after.items() if name in before}


def _check_free(name: FullName, wanted: Constraint, there: Sequence[Constraint]) -> None:
    # Assumption: the wording of all refusals here.
    if any(each.name == wanted.name for each in there):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Constraint '{wanted.name}' already exists in table '{name}'")
    if not wanted.parent_table and any(not each.parent_table for each in there):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Table '{name}' has a primary key already")


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


def _keys_to(parent: TableInfo, held: Iterable[Constraint]) -> list[Constraint]:
    return [key for key in held if key.parent_table.lower() == parent.full_name]


def _lowered(names: Sequence[str]) -> list[str]:
    return [name.lower() for name in names]


def _missing(name: FullName, what: str) -> ApiError:
    return ApiError(404, "CONSTRAINT_DOES_NOT_EXIST", f"{what} does not exist in table '{name}'.")
