"""Messages that are SQL statements. Pure: from the message to the text."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def table(message: Any) -> str:
    """Return how SQL names the table of a message: as the user named it, or by its path."""
    if message.WhichOneof("access_type") == "path":
        return f"delta.{quoted(message.path.path)}"
    return str(message.table_or_view_name)


def relation(message: Any) -> str | None:
    """Return the statement of a relation, None when it is none."""
    kind = message.WhichOneof("relation_type")
    return _RELATIONS[kind](getattr(message, kind)) if kind in _RELATIONS else None


def command(message: Any, type_name: Callable[[Any], str]) -> str | None:
    """Return the statement of a command; `type_name` gives the SQL name of a type's message."""
    kind = message.WhichOneof("command_type")
    if kind == "create_delta_table":
        return _create(message.create_delta_table, type_name)
    return _COMMANDS[kind](getattr(message, kind)) if kind in _COMMANDS else None


def quoted(name: str) -> str:
    """Return a name in back-ticks."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """Return a text literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _restored(message: Any) -> str:
    return f"RESTORE TABLE {table(message.table)} TO {_moment(message)}"


def _moment(message: Any) -> str:
    kind = message.WhichOneof("version_or_timestamp")
    return f"VERSION AS OF {message.version}" if kind == "version" else f"TIMESTAMP AS OF {text(message.timestamp)}"


def _optimized(message: Any) -> str:
    where = f" WHERE {' AND '.join(message.partition_filters)}" if message.partition_filters else ""
    by = f" ZORDER BY ({', '.join(map(quoted, message.zorder_columns))})" if message.zorder_columns else ""
    return f"OPTIMIZE {table(message.table)}{where}{by}"


def converted(message: Any, type_name: Callable[[Any], str]) -> str:
    """Return the statement that makes files a Delta table; `type_name` gives the SQL name of a type's message."""
    columns = message.partition_schema_string
    if message.HasField("partition_schema_struct"):
        fields = message.partition_schema_struct.struct.fields
        columns = ", ".join(f"{quoted(each.name)} {type_name(each.data_type)}" for each in fields)
    return f"CONVERT TO DELTA {message.identifier}{f' PARTITIONED BY ({columns})' if columns else ''}"


def _vacuumed(message: Any) -> str:
    retained = f" RETAIN {_decimal(message.retention_hours)} HOURS" if message.HasField("retention_hours") else ""
    return f"VACUUM {table(message.table)}{retained}"


def _decimal(value: float) -> str:
    return f"{value:f}".rstrip("0").rstrip(".")  # Delta's grammar knows no exponents


def _properties(values: Mapping[str, str]) -> str:
    return ", ".join(f"{text(name)} = {text(value)}" for name, value in values.items())


def _altered(name: str, values: Mapping[str, str]) -> str:
    return f"ALTER TABLE {name} SET TBLPROPERTIES ({_properties(values)})"


def _upgraded(message: Any) -> str:
    versions = {"delta.minReaderVersion": str(message.reader_version), "delta.minWriterVersion": str(message.writer_version)}
    return _altered(table(message.table), versions)


def _dropped(message: Any) -> str:
    truncated = " TRUNCATE HISTORY" if message.truncate_history else ""
    return f"ALTER TABLE {table(message.table)} DROP FEATURE {message.feature_name}{truncated}"


def _cloned(message: Any) -> str:
    verb = "CREATE OR REPLACE TABLE" if message.replace else "CREATE TABLE"
    at = f" {_moment(message)}" if message.WhichOneof("version_or_timestamp") else ""
    properties = f" TBLPROPERTIES ({_properties(message.properties)})" if message.properties else ""
    target = message.target if "/" not in message.target else f"delta.{quoted(message.target)}"
    return f"{verb} {target} {'SHALLOW' if message.is_shallow else 'DEEP'} CLONE {table(message.table)}{at}{properties}"


def _create(message: Any, type_name: Callable[[Any], str]) -> str:
    verbs = {1: "CREATE TABLE", 2: "CREATE TABLE IF NOT EXISTS", 3: "REPLACE TABLE", 4: "CREATE OR REPLACE TABLE"}
    name = message.table_name if message.HasField("table_name") else f"delta.{quoted(message.location)}"
    parts = [verbs[message.mode], name]
    if message.columns:
        parts.append(f"({', '.join(_column(each, type_name) for each in message.columns)})")
    parts.append("USING DELTA")
    parts += _by("PARTITIONED BY", message.partitioning_columns) + _by("CLUSTER BY", message.clustering_columns)
    if message.HasField("location") and message.HasField("table_name"):
        parts.append(f"LOCATION {text(message.location)}")
    if message.HasField("comment"):
        parts.append(f"COMMENT {text(message.comment)}")
    if message.properties:
        parts.append(f"TBLPROPERTIES ({_properties(message.properties)})")
    return " ".join(parts)


def _by(words: str, columns: Iterable[str]) -> list[str]:
    names = ", ".join(map(quoted, columns))
    return [f"{words} ({names})"] if names else []


def _column(message: Any, type_name: Callable[[Any], str]) -> str:
    parts = [quoted(message.name), type_name(message.data_type)]
    if not message.nullable:
        parts.append("NOT NULL")
    if message.HasField("generated_always_as"):
        parts.append(f"GENERATED ALWAYS AS ({message.generated_always_as})")
    if message.HasField("identity_info"):
        info = message.identity_info
        when = "BY DEFAULT" if info.allow_explicit_insert else "ALWAYS"
        parts.append(f"GENERATED {when} AS IDENTITY (START WITH {info.start} INCREMENT BY {info.step})")
    if message.HasField("comment"):
        parts.append(f"COMMENT {text(message.comment)}")
    return " ".join(parts)


_RELATIONS: Mapping[str, Callable[[Any], str]] = {
    "describe_history": lambda message: f"DESCRIBE HISTORY {table(message.table)}",
    "describe_detail": lambda message: f"DESCRIBE DETAIL {table(message.table)}",
    "restore_table": _restored,
    "optimize_table": _optimized,
}
_COMMANDS: Mapping[str, Callable[[Any], str]] = {
    "vacuum_table": _vacuumed,
    "upgrade_table_protocol": _upgraded,
    "add_feature_support": lambda message: _altered(table(message.table), {f"delta.feature.{message.feature_name}": "supported"}),
    "drop_feature_support": _dropped,
    "generate": lambda message: f"GENERATE {message.mode} FOR TABLE {table(message.table)}",
    "clone_table": _cloned,
}
