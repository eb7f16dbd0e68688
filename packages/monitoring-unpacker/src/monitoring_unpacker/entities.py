"""Which schema types the requests of which served entity."""

from collections.abc import Callable, Iterable
from typing import Any

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.schema import Schema
from monitoring_unpacker.tables import SERVED_ENTITIES, Tables

SchemaOfVersion = Callable[[str, str], Schema]
"""Gives the schema of a model's version, by the model's name and the version; raises MonitoringError when it has none."""

# What Spark answers about a system table where there is no such catalog (open-source Spark: the second) or schema, or no right to it.
_NOT_THERE = frozenset(
    ("CATALOG_NOT_FOUND", "REQUIRES_SINGLE_PART_NAMESPACE", "SCHEMA_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "INSUFFICIENT_PERMISSIONS")
)


def versions_known(spark: Any, table: str = SERVED_ENTITIES) -> bool:
    """Return whether the system table of served entities can be read; without it versions stay unnamed."""
    from pyspark.errors import AnalysisException

    try:
        return bool(spark.catalog.tableExists(table))
    except AnalysisException as error:
        if (error.getCondition() or "").split(".")[0] not in _NOT_THERE:
            raise
        return False


def schemas_by_entity(
    spark: Any,
    tables: Tables,
    entities: Iterable[str | None],
    *,
    schema_of_version: SchemaOfVersion | None,
    progress: Callable[[str], None],
) -> dict[str, Schema | str]:
    """Return the schema of each served entity's version, or the reason why its requests cannot be unpacked.

    An entity that the system table does not know (it is written late, or not readable) is not in it: its requests are typed by the
    schema of `tables`.
    """
    ids = {entity for entity in entities if entity is not None}
    if schema_of_version is None:
        return {}
    readable = bool(ids) and versions_known(spark, tables.served_entities)
    named = {row[0]: (row[1], row[2]) for row in spark.sql(tables.entities(ids)).collect()} if readable else {}
    if unknown := sorted(ids - named.keys()):
        progress(f"served entities {', '.join(unknown)}: not in {tables.served_entities}, their requests are typed by the given schema")
    found: dict[tuple[str, str], Schema | str] = {}
    for name, version in sorted(set(named.values())):
        found[name, version] = _schema(schema_of_version, name, version)
        if isinstance(found[name, version], str):
            progress(f"{found[name, version]}; requests that it answered go to quarantine")
    return {entity: found[version] for entity, version in named.items()}


def _schema(schema_of_version: SchemaOfVersion, name: str, version: str) -> Schema | str:
    try:
        return schema_of_version(name, version)
    except MonitoringError as error:
        return str(error)
