"""What follows from the rules: types, SQL, documentation; and that nobody types a rule a second time."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from taxi_fare_features import (
    FEATURES,
    FILTERS,
    MODEL_TYPES,
    PANDAS_TYPES,
    SOURCE_COLUMNS,
    MissingColumnError,
    Rules,
    feature_frame,
    feature_sql,
    filter_sql,
    named_struct_sql,
)
from taxi_fare_features.documentation import documentation
from taxi_fare_features.rules import Between, Feature, OneIf

PACKAGES = Path(__file__).parents[2]


def one_trip() -> pd.DataFrame:
    moment = pd.Series(["2016-02-29 08:00:00"]).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "tpep_pickup_datetime": moment,
            "tpep_dropoff_datetime": moment,
            "trip_distance": [2.3],
            "fare_amount": [8.0],
            "pickup_zip": [1],
            "dropoff_zip": [2],
        }
    ).astype({"pickup_zip": "int32", "dropoff_zip": "int32"})


def test_f01_no_float_in_any_form() -> None:
    """A FLOAT would not equal the DOUBLE it came from: no form has one, from the source to the model's signature."""
    types = [column.type for column in SOURCE_COLUMNS] + [feature.type for feature in FEATURES]
    assert "float" not in {*types, *MODEL_TYPES.values()}
    assert "float32" not in {*PANDAS_TYPES.values(), *map(str, feature_frame(one_trip()).dtypes)}
    assert "FLOAT" not in " ".join((*feature_sql().values(), filter_sql(), named_struct_sql())).upper()
    assert "FLOAT |" not in documentation()


def test_f01_a_source_that_has_a_float_is_refused() -> None:
    """Read as FLOAT, the same trip has another distance and so another key: refused by name instead of losing its label."""
    narrowed = one_trip().astype({"trip_distance": "float32"})
    widened = narrowed.astype({"trip_distance": "float64"})  # the fault: what was FLOAT once stays another number
    assert list(feature_frame(widened)["trip_id"]) != list(feature_frame(one_trip())["trip_id"])
    with pytest.raises(MissingColumnError, match="'trip_distance' is float32; expected type double"):
        feature_frame(narrowed)


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


def test_frames_have_the_types_that_the_rules_say() -> None:
    """The dtypes of features are derived, and a feature frame has them."""
    assert {name: str(feature_frame(one_trip())[name].dtype) for name in PANDAS_TYPES} == dict(PANDAS_TYPES)
    assert set(PANDAS_TYPES.values()) == {"float64", "int32"}


def test_f12_a_changed_rule_changes_sql_types_and_documentation() -> None:
    """A feature that is added, or a member that is changed, is in every derived text without another word typed."""
    last = FEATURES[-1]
    assert isinstance(last.definition, OneIf)
    late = Feature("is_late", "int", replace(last.definition, members=(22, 23)))
    rules = Rules((*FEATURES, late), (*FILTERS, Between("trip_distance", 0.0, 77.5)))
    assert feature_sql(rules=rules)["is_late"] == feature_sql()["is_rush_hour"].replace("7, 8, 9, 16, 17, 18, 19", "22, 23")
    assert filter_sql(rules=rules) == f"{filter_sql()} AND `trip_distance` > 0.0D AND `trip_distance` < 77.5D"
    assert named_struct_sql(rules=rules) == f"{named_struct_sql()[:-1]}, 'is_late', source.`is_late`)"
    assert (rules.model_types["is_late"], rules.pandas_types["is_late"]) == ("long", "int32")
    assert "| `is_late` | INT | `long` | `int32` | 1 when the hour of `tpep_pickup_datetime` is 22 or 23, else 0 |" in documentation(
        rules=rules
    )
    assert "- `trip_distance` is above 0 and below 77.5" in documentation(rules=rules)


def test_request_as_sql_is_the_key_and_the_features() -> None:
    """Names as text, values from the aliased table."""
    assert named_struct_sql("f").startswith("named_struct('trip_id', f.`trip_id`, 'trip_distance', f.`trip_distance`, 'pickup_hour', ")
    assert named_struct_sql(key=False).startswith("named_struct('trip_distance', source.`trip_distance`, 'pickup_hour', ")


def test_page_is_what_the_rules_say() -> None:
    """docs/features.md was written by the rules as they are now."""
    assert (PACKAGES.parent / "docs/features.md").read_text(encoding="utf-8") == documentation()


def test_command_writes_the_page(tmp_path: Path) -> None:
    """`python -m taxi_fare_features.documentation` prints it, or writes it to the file named."""
    command = [sys.executable, "-m", "taxi_fare_features.documentation"]
    printed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    subprocess.run([*command, "--write", str(tmp_path / "page.md")], check=True)
    assert printed == (tmp_path / "page.md").read_text(encoding="utf-8") == documentation()
