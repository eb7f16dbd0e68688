"""What follows from the rules: types, SQL, documentation; and that nobody types a rule a second time."""

import ast
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from taxi_fare_features import (
    FEATURE_COLUMNS,
    FEATURES,
    MODEL_TYPES,
    SOURCE_COLUMNS,
    TABLE_COLUMNS,
    feature_frame,
    feature_row,
    feature_sql,
    named_struct_sql,
)
from taxi_fare_features.documentation import documentation
from taxi_fare_features.rules import FILTERS, Between, OneIf

PACKAGES = Path(__file__).parents[2]
Trip = dict[str, object]


def week() -> Iterator[Trip]:
    """Yield a trip for every hour of a week."""
    for day in range(1, 8):
        for hour in range(24):
            moment = datetime(2016, 2, day, hour, tzinfo=UTC)
            yield {
                "tpep_pickup_datetime": moment,
                "tpep_dropoff_datetime": moment,
                "trip_distance": 1.0 + hour,
                "fare_amount": 5.0,
                "pickup_zip": 1,
                "dropoff_zip": 2,
            }


def test_f01_no_float_in_any_form() -> None:
    """A FLOAT would not equal the DOUBLE it came from: no form has one, from the source to the model's signature."""
    types = [column.type for column in SOURCE_COLUMNS] + [feature.type for feature in FEATURES]
    assert "float" not in {*types, *MODEL_TYPES.values()}
    assert "FLOAT" not in " ".join((*feature_sql().values(), named_struct_sql()))
    assert float(pd.Series([2.3]).astype("float32")[0]) != 2.3  # the fault: what is parsed as FLOAT is another number


def test_f12_forms_agree_and_a_rule_copied_by_hand_is_caught() -> None:
    """Plain Python and pandas give the same rows; a copy of one rule with another bound does not, and is seen."""
    trips = list(week())
    plain = [feature_row(trip) for trip in trips]  # type: ignore[arg-type]  # values of the source
    frame = feature_frame(pd.DataFrame(trips).astype({"pickup_zip": "int32", "dropoff_zip": "int32"})).to_dict("records")
    by_hand = [1 if moment(trip).hour in range(7, 9) or moment(trip).hour in range(16, 20) else 0 for trip in trips]

    assert [row["is_rush_hour"] for row in frame] == [row["is_rush_hour"] for row in plain]
    assert by_hand != [row["is_rush_hour"] for row in plain]
    assert [{name: row[name] for name in FEATURE_COLUMNS} for row in frame] == [
        {name: row[name] for name in FEATURE_COLUMNS} for row in plain
    ]


def features(row: Mapping[object, object]) -> list[object]:
    return [row[name] for name in FEATURE_COLUMNS]


def moment(trip: Trip) -> datetime:
    value = trip["tpep_pickup_datetime"]
    assert isinstance(value, datetime)
    return value


def test_f12_no_other_module_types_a_rule() -> None:
    """The bounds and the members of every rule stand in rules.py, and in no other module of the four packages."""
    members = [list(rule.definition.members) for rule in FEATURES if isinstance(rule.definition, OneIf)]
    bounds = [rule.below for rule in FILTERS if isinstance(rule, Between) and rule.below != float("inf")]
    modules = [path for path in PACKAGES.glob("*/src/*/*.py") if path.name != "rules.py"]
    typed = [path.name for path in modules if any(value in members or value in bounds for value in constants(path))]
    assert len(modules) > 20
    assert typed == []
    assert any(value in members for value in constants(PACKAGES / "features/src/taxi_fare_features/rules.py"))


def constants(module: Path) -> Iterator[object]:
    """Yield the fractional numbers and the lists of numbers that a module's code contains."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.value
        if isinstance(node, ast.Tuple | ast.List | ast.Set) and all(isinstance(item, ast.Constant) for item in node.elts):
            yield [item.value for item in node.elts if isinstance(item, ast.Constant)]


def test_signature_types_are_those_of_the_table() -> None:
    """Every feature has the type that JSON and the model read without loss."""
    assert dict(MODEL_TYPES) == {
        "trip_distance": "double",
        "pickup_hour": "long",
        "pickup_dayofweek": "long",
        "pickup_month": "long",
        "is_weekend": "long",
        "is_rush_hour": "long",
    }


def test_request_as_sql_is_the_key_and_the_features() -> None:
    """Names as text, values from the aliased table."""
    assert named_struct_sql("f").startswith("named_struct('trip_id', f.`trip_id`, 'trip_distance', f.`trip_distance`, 'pickup_hour', ")
    assert named_struct_sql(key=False).startswith("named_struct('trip_distance', source.`trip_distance`, 'pickup_hour', ")


def test_page_is_what_the_rules_say() -> None:
    """docs/features.md was written by the rules as they are now."""
    assert (PACKAGES.parent / "docs/features.md").read_text(encoding="utf-8") == documentation()


@pytest.mark.parametrize(
    "rows",
    [pytest.param([], id="no rows"), pytest.param([dict.fromkeys((column.name for column in SOURCE_COLUMNS), None)], id="only nulls")],
)
def test_frame_without_usable_trips_is_an_empty_feature_table(rows: list[Trip]) -> None:
    """Columns and types are there, rows are not; nothing fails."""
    types = {"timestamp": "datetime64[us]", "double": "float64", "int": "Int32"}
    trips = pd.DataFrame(rows, columns=[column.name for column in SOURCE_COLUMNS]).astype({c.name: types[c.type] for c in SOURCE_COLUMNS})
    made = feature_frame(trips)
    assert (len(made), tuple(made.columns)) == (0, TABLE_COLUMNS)
    assert made["is_weekend"].dtype == "int32"
