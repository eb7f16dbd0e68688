"""The relations of an information schema: their columns, in the platform's names, types and order. Pure.

docs.databricks.com/aws/en/sql/language-manual/information-schema/…, a page for each. Assumption: the order of ROUTINES' columns from
ROUTINE_BODY on.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from harness.unity.model import INFORMATION_SCHEMA, SYSTEM_USER, CatalogRecord, ColumnInfo, TableInfo

PATH = "/__harness__/information-schema"
Value = str | int | None
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation: its columns by name, with their SQL types. A timestamp's value is a number of microseconds."""

    name: str
    columns: Mapping[str, str]

    @property
    def ddl(self) -> str:
        """The columns as Spark reads a schema."""
        return ", ".join(f"{name} {type_}" for name, type_ in self.columns.items())

    def row(self, **values: Value) -> Row:
        """Return a row; what is not named is NULL."""
        assert values.keys() <= self.columns.keys()  # noqa: S101 - the callers are in this package
        return tuple(values.get(name) for name in self.columns)


def _relation(name: str, columns: str) -> Relation:
    pairs = (column.partition(":") for column in columns.split())
    return Relation(name, {name: type_ or "STRING" for name, _, type_ in pairs})


_CHANGES = "created:TIMESTAMP created_by last_altered:TIMESTAMP last_altered_by"
_DATA_TYPE = (
    "character_maximum_length:INT character_octet_length numeric_precision:INT numeric_precision_radix:INT numeric_scale:INT"
    " datetime_precision:INT interval_type interval_precision:INT maximum_cardinality:INT"
)
_KEY = "constraint_catalog constraint_schema constraint_name"
_TABLE = "table_catalog table_schema table_name"

CATALOGS = _relation("catalogs", f"catalog_name catalog_owner comment {_CHANGES}")
SCHEMATA = _relation("schemata", f"catalog_name schema_name schema_owner comment {_CHANGES}")
TABLES = _relation(
    "tables",
    f"{_TABLE} table_type is_insertable_into commit_action table_owner comment {_CHANGES}"
    " data_source_format storage_path storage_sub_directory",
)
COLUMNS = _relation(
    "columns",
    f"{_TABLE} column_name ordinal_position:INT column_default is_nullable full_data_type data_type {_DATA_TYPE}"
    " is_identity identity_generation identity_start identity_increment identity_maximum identity_minimum identity_cycle"
    " is_generated generation_expression is_system_time_period_start is_system_time_period_end system_time_period_timestamp_generation"
    " is_updatable partition_ordinal_position:INT comment",
)
VIEWS = _relation("views", f"{_TABLE} view_definition check_option is_updatable is_insertable_into sql_path")
VOLUMES = _relation("volumes", f"volume_catalog volume_schema volume_name volume_type volume_owner comment {_CHANGES} storage_location")
ROUTINES = _relation(
    "routines",
    "specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name routine_type data_type full_data_type"
    f" {_DATA_TYPE} routine_body routine_definition external_name external_language parameter_style is_deterministic sql_data_access"
    f" is_null_call sql_path security_type as_locator comment {_CHANGES}",
)
TABLE_CONSTRAINTS = _relation("table_constraints", f"{_KEY} {_TABLE} constraint_type is_deferrable initially_deferred enforced comment")
KEY_COLUMN_USAGE = _relation("key_column_usage", f"{_KEY} {_TABLE} column_name ordinal_position:INT position_in_unique_constraint:INT")
REFERENTIAL_CONSTRAINTS = _relation(
    "referential_constraints",
    f"{_KEY} unique_constraint_catalog unique_constraint_schema unique_constraint_name match_option update_rule delete_rule",
)
CONSTRAINT_TABLE_USAGE = _relation("constraint_table_usage", f"{_TABLE} {_KEY}")
CONSTRAINT_COLUMN_USAGE = _relation("constraint_column_usage", f"{_TABLE} column_name {_KEY}")
PARAMETERS = _relation(
    "parameters",
    "specific_catalog specific_schema specific_name ordinal_position:INT parameter_mode is_result as_locator parameter_name data_type"
    f" full_data_type {_DATA_TYPE} parameter_default comment",
)
ROUTINE_COLUMNS = _relation(
    "routine_columns",
    f"specific_catalog specific_schema specific_name ordinal_position:INT column_name data_type full_data_type {_DATA_TYPE} comment",
)
ROUTINE_PRIVILEGES = _relation(
    "routine_privileges",
    "grantor grantee specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name privilege_type"
    " is_grantable inherited_from",
)
CATALOG_PRIVILEGES = _relation("catalog_privileges", "grantor grantee catalog_name privilege_type is_grantable inherited_from")
SCHEMA_PRIVILEGES = _relation("schema_privileges", "grantor grantee catalog_name schema_name privilege_type is_grantable inherited_from")
TABLE_PRIVILEGES = _relation("table_privileges", f"grantor grantee {_TABLE} privilege_type is_grantable inherited_from")
VOLUME_PRIVILEGES = _relation(
    "volume_privileges", "grantor grantee volume_catalog volume_schema volume_name privilege_type is_grantable inherited_from"
)
CATALOG_TAGS = _relation("catalog_tags", "catalog_name tag_name tag_value")
SCHEMA_TAGS = _relation("schema_tags", "catalog_name schema_name tag_name tag_value")
TABLE_TAGS = _relation("table_tags", "catalog_name schema_name table_name tag_name tag_value")
COLUMN_TAGS = _relation("column_tags", "catalog_name schema_name table_name column_name tag_name tag_value")
VOLUME_TAGS = _relation("volume_tags", "catalog_name schema_name volume_name tag_name tag_value")
INFORMATION_SCHEMA_CATALOG_NAME = _relation("information_schema_catalog_name", "catalog_name")

RELATIONS: Mapping[str, Relation] = {
    each.name: each
    for each in (
        CATALOG_PRIVILEGES,
        CATALOG_TAGS,
        CATALOGS,
        COLUMN_TAGS,
        COLUMNS,
        CONSTRAINT_COLUMN_USAGE,
        CONSTRAINT_TABLE_USAGE,
        INFORMATION_SCHEMA_CATALOG_NAME,
        KEY_COLUMN_USAGE,
        PARAMETERS,
        REFERENTIAL_CONSTRAINTS,
        ROUTINE_COLUMNS,
        ROUTINE_PRIVILEGES,
        ROUTINES,
        SCHEMA_PRIVILEGES,
        SCHEMA_TAGS,
        SCHEMATA,
        TABLE_CONSTRAINTS,
        TABLE_PRIVILEGES,
        TABLE_TAGS,
        TABLES,
        VIEWS,
        VOLUME_PRIVILEGES,
        VOLUME_TAGS,
        VOLUMES,
    )
}

_JSON_TYPES = {"STRING": "string", "INT": "integer", "TIMESTAMP": "timestamp"}
_BITS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "BIGINT": 64, "FLOAT": 24, "DOUBLE": 53}
# Of floating types the documentation says "the number of supported bits". Assumption: the mantissa's, as the SQL standard has it.
_NAMES = {"LONG": "BIGINT", "SHORT": "SMALLINT", "BYTE": "TINYINT"}


def data_type(type_name: str, type_text: str, precision: int, *, scale: int) -> dict[str, Value]:
    """Return what the columns about a data type say, from its name in the API.

    >>> data_type("LONG", "bigint", 0, scale=0)["data_type"]
    'BIGINT'
    """
    name = _NAMES.get(type_name, type_name)
    described: dict[str, Value] = {"data_type": name, "full_data_type": type_text}
    if name == "DECIMAL":
        return {**described, "numeric_precision": precision, "numeric_precision_radix": 10, "numeric_scale": scale}
    if name in _BITS:
        exact = name not in {"FLOAT", "DOUBLE"}
        return {
            **described,
            "numeric_precision": _BITS[name],
            "numeric_precision_radix": 2,
            "numeric_scale": 0 if exact else None,
        }
    if name in {"DATE", "TIMESTAMP", "TIMESTAMP_NTZ"}:
        return {**described, "datetime_precision": 0 if name == "DATE" else 3}
    return described


def table(catalog: CatalogRecord, relation: Relation) -> TableInfo:
    """Return what `tables.get` says of a relation of a catalog's information schema: it is a view of the system's."""
    full_name = f"{catalog.name}.{INFORMATION_SCHEMA}.{relation.name}"
    return TableInfo(
        name=relation.name,
        catalog_name=catalog.name,
        schema_name=INFORMATION_SCHEMA,
        full_name=full_name,
        table_id=str(uuid5(NAMESPACE_URL, f"{catalog.catalog_id}/{relation.name}")),
        columns=[_column(position, *pair) for position, pair in enumerate(relation.columns.items())],
        properties={},
        owner=SYSTEM_USER,
        created_at=catalog.created_at,
        updated_at=catalog.created_at,
        created_by=SYSTEM_USER,
        updated_by=SYSTEM_USER,
        table_type="VIEW",
        data_source_format="UNKNOWN_DATA_SOURCE_FORMAT",
    )


def _column(position: int, name: str, type_: str) -> ColumnInfo:
    field = {"name": name, "type": _JSON_TYPES[type_], "nullable": True, "metadata": {}}
    return ColumnInfo(name, type_.lower(), json.dumps(field), type_, position, nullable=True)
