"""The hash of a set of rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_fare_features import FEATURE_COLUMNS, KEY, TARGET
from taxi_fare_training.evidence import ChangedRowsError, check_unchanged, row_hash

COLUMNS = (*FEATURE_COLUMNS, TARGET)
values = st.floats(allow_nan=False) | st.integers(-(2**31), 2**31 - 1).map(float)
tables = st.lists(st.tuples(*[values] * len(COLUMNS)), min_size=1, max_size=8)


def frame(rows: list[tuple[float, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype="float64")
    table.insert(0, KEY, [f"trip {number}" for number in range(len(rows))])
    return table


@settings(max_examples=50)
@given(tables, st.integers(0, 1000))
def test_order_does_not_matter(rows: list[tuple[float, ...]], seed: int) -> None:
    """A shuffled table has the same hash."""
    assert row_hash(frame(rows).sample(frac=1.0, random_state=seed)) == row_hash(frame(rows))


@settings(max_examples=50)
@given(tables, st.data(), values)
def test_any_changed_value_matters(rows: list[tuple[float, ...]], data: st.DataObject, value: float) -> None:
    """One other value anywhere is another hash."""
    row, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(COLUMNS))
    changed = frame(rows)
    same = changed.loc[row, column] == value
    changed.loc[row, column] = value
    if not same:
        assert row_hash(changed) != row_hash(frame(rows))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda table: table.iloc[1:], id="a row less"),
        pytest.param(lambda table: table.assign(trip_id=["trip 0", "trip 2"]), id="another key"),
        pytest.param(lambda table: table.assign(fare_amount=np.nan), id="no label"),
        pytest.param(
            lambda table: table.assign(trip_distance=table["pickup_hour"], pickup_hour=table["trip_distance"]), id="swapped columns"
        ),
    ],
)
def test_changed_rows_are_refused_with_where_and_what_to_do(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """The error names the table and both hashes' beginnings."""
    table = frame([(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)])
    check_unchanged(table, row_hash(table), "main.s.t version 3")
    with pytest.raises(ChangedRowsError, match=r"main\.s\.t version 3: reads otherwise .* train again"):
        check_unchanged(change(table), row_hash(table), "main.s.t version 3")


def test_types_of_the_numbers_do_not_matter() -> None:
    """INT and DOUBLE columns of the same values are the same rows."""
    table = frame([(1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)])
    assert row_hash(table.astype({"pickup_hour": "int32"})) == row_hash(table)
