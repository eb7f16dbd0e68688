"""Which schema types which request, when several versions of a model answered: each row is read as its own version's server read it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitoring_unpacker.schema import RESERVED, Field, Schema

# A value of the first type stands in a column of the second without losing a digit.
_EXACT = frozenset((("INT", "BIGINT"), ("INT", "DOUBLE")))


@dataclass(frozen=True)
class Reading:
    """How logged requests are typed, and into which columns their values go.

    Attributes:
        schema: the schema of requests answered by an entity that `by_entity` does not name.
        columns: features of all schemas, and the key.
        by_entity: by `served_entity_id`, the schema of its version, or the reason why its requests cannot be unpacked.
        names: by schema, the column of each of its fields, where it is not called as the field.
    """

    schema: Schema
    columns: tuple[Field, ...]
    by_entity: Mapping[str, Schema | str] = field(default_factory=dict)
    names: Mapping[Schema, Mapping[str, str]] = field(default_factory=dict)

    @property
    def outcome(self) -> tuple[Field, ...]:
        """The columns of data: features, key, prediction."""
        return (*self.columns, self.schema.prediction)

    def schema_for(self, served_entity_id: str | None) -> Schema | str:
        """Return the schema of an entity's version, or the reason why there is none."""
        return self.by_entity.get(served_entity_id or "", self.schema)


def plan_reading(
    schema: Schema,
    *,
    by_entity: Mapping[str, Schema | str] | None = None,
    existing: Iterable[Field] = (),
    taken: Iterable[str] = (),
) -> Reading:
    """Return how to read the requests of all these versions into one table.

    A feature has the column of its name. Where that column has another type, which cannot hold it exactly (a version changed the type), it
    has a column of its own beside it, `{name}__{type}`: nothing is rounded, and neither table nor job has to be thrown away.

    Args:
        schema: the schema of entities whose version is not known.
        by_entity: by served entity, its version's schema or the reason why there is none.
        existing: the columns that the table has already.
        taken: names that no feature may have, besides the reserved ones.
    """
    known = {column.name.lower(): column for column in existing}
    forbidden = RESERVED.union(name.lower() for name in taken)
    schemas = list(dict.fromkeys((schema, *(found for found in (by_entity or {}).values() if isinstance(found, Schema)))))
    columns: dict[str, Field] = {}
    names: dict[Schema, dict[str, str]] = {}
    for version in schemas:
        names[version] = {}
        for feature in version.columns[:-1]:
            column = feature if feature.name == version.key.name else _column(feature, known, forbidden)
            known[column.name.lower()] = columns[column.name] = column
            if column.name != feature.name:
                names[version][feature.name] = column.name
    fitting = {entity: _fitting(found, schema.prediction) for entity, found in (by_entity or {}).items()}
    ordered = (*(column for column in columns.values() if column.name != schema.key.name), schema.key)
    return Reading(schema, ordered, fitting, {version: renamed for version, renamed in names.items() if renamed})


def _column(feature: Field, known: Mapping[str, Field], forbidden: frozenset[str]) -> Field:
    found = known.get(feature.name.lower(), feature)
    if feature.name.lower() not in forbidden and (found.type == feature.type or (feature.type, found.type) in _EXACT):
        return found
    return Field(f"{feature.name}__{feature.type.lower()}", feature.type)


def _fitting(found: Schema | str, prediction: Field) -> Schema | str:
    if isinstance(found, str) or found.prediction.type == prediction.type or (found.prediction.type, prediction.type) in _EXACT:
        return found
    return f"the version predicts {found.prediction.type}, the processed table's predictions are {prediction.type}"
