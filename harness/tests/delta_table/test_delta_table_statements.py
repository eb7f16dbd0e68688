"""Messages of `DeltaTable` that are SQL statements: what each says."""

from typing import Any

import pytest
from delta.connect.proto import base_pb2, commands_pb2, relations_pb2
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql.connect.types import pyspark_types_to_proto_types
from pyspark.sql.types import DateType, IntegerType, StructType

from harness.delta_table import statements


def named(name: str = "main.sales.trips") -> Any:
    return base_pb2.DeltaTable(table_or_view_name=name)


def at_path(path: str) -> Any:
    return base_pb2.DeltaTable(path=base_pb2.DeltaTable.Path(path=path))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"describe_history": relations_pb2.DescribeHistory(table=named())}, "DESCRIBE HISTORY main.sales.trips"),
        ({"describe_detail": relations_pb2.DescribeDetail(table=at_path("/Volumes/a`b"))}, "DESCRIBE DETAIL delta.`/Volumes/a``b`"),
        ({"restore_table": relations_pb2.RestoreTable(table=named(), version=0)}, "RESTORE TABLE main.sales.trips TO VERSION AS OF 0"),
        (
            {"restore_table": relations_pb2.RestoreTable(table=named(), timestamp="2026-01-02")},
            "RESTORE TABLE main.sales.trips TO TIMESTAMP AS OF '2026-01-02'",
        ),
        (
            {"optimize_table": relations_pb2.OptimizeTable(table=named(), partition_filters=["a = 1", "b = 2"], zorder_columns=["x y"])},
            "OPTIMIZE main.sales.trips WHERE a = 1 AND b = 2 ZORDER BY (`x y`)",
        ),
    ],
)
def test_relations(message: dict[str, Any], expected: str) -> None:
    """Each is told with the names that the user gave."""
    assert statements.relation(relations_pb2.DeltaRelation(**message)) == expected


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "CONVERT TO DELTA parquet.`/tmp/t`"),
        ({"partition_schema_string": "d DATE"}, "CONVERT TO DELTA parquet.`/tmp/t` PARTITIONED BY (d DATE)"),
        (
            {"partition_schema_struct": pyspark_types_to_proto_types(StructType().add("a b", IntegerType()).add("d", DateType()))},
            "CONVERT TO DELTA parquet.`/tmp/t` PARTITIONED BY (`a b` integer, `d` date)",
        ),
    ],
)
def test_files_are_converted(schema: dict[str, Any], expected: str) -> None:
    """With the partitions' types as a text, as types, or without."""
    message = relations_pb2.ConvertToDelta(identifier="parquet.`/tmp/t`", **schema)
    assert statements.converted(message, lambda type_: str(type_.WhichOneof("kind"))) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"vacuum_table": commands_pb2.VacuumTable(table=named())}, "VACUUM main.sales.trips"),
        ({"vacuum_table": commands_pb2.VacuumTable(table=named(), retention_hours=0)}, "VACUUM main.sales.trips RETAIN 0 HOURS"),
        ({"vacuum_table": commands_pb2.VacuumTable(table=named(), retention_hours=0.5)}, "VACUUM main.sales.trips RETAIN 0.5 HOURS"),
        ({"vacuum_table": commands_pb2.VacuumTable(table=named(), retention_hours=1e7)}, "VACUUM main.sales.trips RETAIN 10000000 HOURS"),
        ({"generate": commands_pb2.Generate(table=named(), mode="symlink")}, "GENERATE symlink FOR TABLE main.sales.trips"),
        (
            {"clone_table": commands_pb2.CloneTable(table=named(), target="main.sales.copy", version=3, is_shallow=True, replace=True)},
            "CREATE OR REPLACE TABLE main.sales.copy SHALLOW CLONE main.sales.trips VERSION AS OF 3",
        ),
        (
            {"drop_feature_support": commands_pb2.DropFeatureSupport(table=named(), feature_name="deletionVectors", truncate_history=True)},
            "ALTER TABLE main.sales.trips DROP FEATURE deletionVectors TRUNCATE HISTORY",
        ),
        (
            {"upgrade_table_protocol": commands_pb2.UpgradeTableProtocol(table=named(), reader_version=3, writer_version=7)},
            "ALTER TABLE main.sales.trips SET TBLPROPERTIES ('delta.minReaderVersion' = '3', 'delta.minWriterVersion' = '7')",
        ),
    ],
)
def test_commands(message: dict[str, Any], expected: str) -> None:
    """Whole and zero values are told apart from those that were not given."""
    assert statements.command(commands_pb2.DeltaCommand(**message), str) == expected


@pytest.mark.parametrize("message", [relations_pb2.DeltaRelation(scan=relations_pb2.Scan(table=named()))])
def test_what_is_no_statement_is_none(message: Any) -> None:
    """Plans and unknown messages are for others."""
    assert statements.relation(message) is None
    assert statements.command(commands_pb2.DeltaCommand(), str) is None


@pytest.mark.property
@given(st.text(max_size=30))
def test_quoting_keeps_every_text(given_: str) -> None:
    """A name ends only at its own back-tick; a literal only at its own quote."""
    name, literal = statements.quoted(given_), statements.text(given_)
    assert name[1:-1].replace("``", "") == given_.replace("`", "")
    assert name[1:-1].count("`") == 2 * given_.count("`")
    assert eval_literal(literal) == given_


def eval_literal(literal: str) -> str:
    """Read a literal as Spark does: a backslash takes the next character as it is."""
    inside, read, at = literal[1:-1], [], 0
    while at < len(inside):
        at += inside[at] == "\\"
        read.append(inside[at])
        at += 1
    return "".join(read)
