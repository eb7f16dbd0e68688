"""The synthetic trips: columns, repeatability, and that a model finds them as hard as the real ones."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import GradientBoostingRegressor

from harness.sample_data import SCHEMA, generate


@pytest.fixture(scope="module")
def trips() -> pa.Table:
    """The table as a dry run without data has it."""
    return generate()


@pytest.fixture(scope="module")
def frame(trips: pa.Table) -> pd.DataFrame:
    """The same for pandas."""
    made: pd.DataFrame = trips.to_pandas()
    return made


def usable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the workflow keeps: contract of the source table, spelled out here because the harness knows no package."""
    return frame[(frame["fare_amount"] > 0) & (frame["fare_amount"] < 200) & (frame["trip_distance"] > 0)]


def test_ten_thousand_rows_in_the_platforms_columns_and_types(trips: pa.Table) -> None:
    """Names, order and types of `samples.nyctaxi.trips`, without a NULL."""
    utc = pa.timestamp("us", tz="UTC")
    types = [utc, utc, pa.float64(), pa.float64(), pa.int32(), pa.int32()]
    names = ["tpep_pickup_datetime", "tpep_dropoff_datetime", "trip_distance", "fare_amount", "pickup_zip", "dropoff_zip"]
    assert trips.schema == SCHEMA == pa.schema(list(zip(names, types, strict=True)))
    assert (trips.num_rows, sum(column.null_count for column in trips.columns)) == (10_000, 0)


def test_the_same_seed_gives_the_same_trips_and_another_gives_others() -> None:
    """A dry run can be repeated."""
    assert generate(200, 7).equals(generate(200, 7))
    assert not generate(200, 7).equals(generate(200, 8))


def test_forty_rows_fail_the_filters(frame: pd.DataFrame) -> None:
    """As many as of the real rows: 9,960 are left."""
    assert len(usable(frame)) == 9_960


def test_every_trip_ends_after_it_began_in_january_or_february_2016(frame: pd.DataFrame) -> None:
    """The real table's two months."""
    pickups = frame["tpep_pickup_datetime"]
    assert (frame["tpep_dropoff_datetime"] > pickups).mean() > 0.999
    assert str(pickups.min()) >= "2016-01-01"
    assert str(pickups.max()) < "2016-03-01"


def test_fares_are_a_meters(frame: pd.DataFrame) -> None:
    """Steps of half a dollar from 2.50 upwards, and the one price of the airport."""
    fares = usable(frame)["fare_amount"]
    assert ((fares * 2) % 1 == 0).all()
    assert fares.min() >= 2.5
    assert 150 < (fares == 52.0).sum() < 260


@pytest.mark.parametrize(
    ("column", "share", "expected"),
    [
        pytest.param("trip_distance", 0.5, 1.70, id="middle distance"),
        pytest.param("trip_distance", 0.95, 10.34, id="long distance"),
        pytest.param("fare_amount", 0.05, 4.5, id="low fare"),
        pytest.param("fare_amount", 0.5, 9.0, id="middle fare"),
        pytest.param("fare_amount", 0.95, 33.5, id="high fare"),
    ],
)
def test_quantiles_are_those_of_the_real_trips(frame: pd.DataFrame, column: str, share: float, expected: float) -> None:
    """Within an eighth; the expectations are read off the real rows."""
    assert frame[column].quantile(share) == pytest.approx(expected, rel=0.125)


def test_trips_follow_the_hours_of_a_day(frame: pd.DataFrame) -> None:
    """Six times as many trips at six in the evening as at five in the morning."""
    hours = frame["tpep_pickup_datetime"].dt.hour.value_counts()
    assert 5 < hours[18] / hours[5] < 9


def test_a_tuned_model_errs_as_much_as_on_the_real_trips(frame: pd.DataFrame) -> None:
    """MAE within 15 % of the real 1.309, with the real trips' best parameters."""
    rows = usable(frame)
    hours = rows["tpep_pickup_datetime"].dt.hour
    inputs = np.column_stack([rows["trip_distance"], hours, rows["tpep_pickup_datetime"].dt.dayofweek])
    fares = rows["fare_amount"].to_numpy()
    model = GradientBoostingRegressor(learning_rate=0.05, max_depth=3, n_estimators=200, random_state=42)
    model.fit(inputs[2000:], fares[2000:])
    assert np.abs(model.predict(inputs[:2000]) - fares[:2000]).mean() == pytest.approx(1.309, rel=0.15)
