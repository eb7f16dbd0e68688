"""Reading a file of trips, and writing the table."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from harness.errors import UserError
from harness.sample_data import SCHEMA, generate, load_parquet, write_table


def saved(table: pa.Table, folder: Path) -> Path:
    """Write the table as a parquet file and return its path."""
    path = folder / "trips.parquet"
    pq.write_table(table, path)
    return path


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Return the table with one column exchanged."""
    return table.set_column(table.schema.get_field_index(name), name, values)


def with_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    """Return the table with one column cast."""
    return with_column(table, name, table.column(name).cast(kind))


@pytest.fixture
def trips() -> pa.Table:
    """A few trips."""
    return generate(50, 1)


def test_what_was_saved_is_read_back(trips: pa.Table, tmp_path: Path) -> None:
    """A file in the table's own types comes back as it is, further columns left out."""
    path = saved(trips.append_column("note", pa.array(["x"] * 50)), tmp_path)
    assert load_parquet(path).equals(trips)


def test_a_timestamp_without_zone_is_a_wall_clock_in_utc(trips: pa.Table, tmp_path: Path) -> None:
    """The digits stay: 21:47 becomes 21:47 UTC."""
    moments = pa.array([datetime(2016, 2, 13, 21, 47, 53)] * 50, pa.timestamp("us"))  # noqa: DTZ001 - without a zone is the case
    read = load_parquet(saved(with_column(trips, "tpep_pickup_datetime", moments), tmp_path))
    assert read.schema == SCHEMA
    assert read.column("tpep_pickup_datetime")[0].as_py() == datetime(2016, 2, 13, 21, 47, 53, tzinfo=UTC)


def test_wider_integers_that_fit_are_accepted(trips: pa.Table, tmp_path: Path) -> None:
    """Pandas writes 64-bit zip codes."""
    assert load_parquet(saved(with_type(trips, "pickup_zip", pa.int64()), tmp_path)).equals(trips)


def test_a_missing_column_is_named(trips: pa.Table, tmp_path: Path) -> None:
    """Where, what, expected, found, what to do."""
    path = saved(trips.drop_columns(["trip_distance", "pickup_zip"]), tmp_path)
    with pytest.raises(UserError) as error:
        load_parquet(path)
    assert str(error.value) == (
        f"{path}: column 'trip_distance' is missing; expected it with type double; found columns: "
        "tpep_pickup_datetime, tpep_dropoff_datetime, fare_amount, dropoff_zip; rename or add it in the file"
    )


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        pytest.param("fare_amount", pa.string(), "'fare_amount' has type string; expected double; cast it", id="text"),
        pytest.param("trip_distance", pa.float32(), "'trip_distance' has type float; expected double", id="32-bit float"),
        pytest.param("tpep_pickup_datetime", pa.string(), r"has type string; expected timestamp\[us, tz=UTC\]", id="text for a moment"),
    ],
)
def test_a_column_of_another_type_is_named(trips: pa.Table, tmp_path: Path, name: str, kind: pa.DataType, message: str) -> None:
    """Found and expected type stand in the message."""
    with pytest.raises(UserError, match=message):
        load_parquet(saved(with_type(trips, name, kind), tmp_path))


def test_a_number_too_large_for_its_column_is_named(trips: pa.Table, tmp_path: Path) -> None:
    """A 64-bit value that does not fit is refused, not wrapped."""
    path = saved(with_column(trips, "pickup_zip", pa.array([2**40] * 50)), tmp_path)
    with pytest.raises(UserError, match="column 'pickup_zip' does not fit into int32"):
        load_parquet(path)


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    """Truncated or other bytes."""
    path = tmp_path / "trips.parquet"
    path.write_bytes(b"PAR1 this is cut off")
    with pytest.raises(UserError, match=r"trips\.parquet: is not a readable parquet file"):
        load_parquet(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The path is the user's own."""
    with pytest.raises(UserError, match=r"nowhere\.parquet: no such file"):
        load_parquet(tmp_path / "nowhere.parquet")


def test_the_table_is_written_once_for_one_content(trips: pa.Table, tmp_path: Path) -> None:
    """The same rows again are no new version; other rows replace them."""
    folder = str(tmp_path / "samples" / "nyctaxi" / "trips")
    assert write_table(trips, tmp_path)
    assert not write_table(generate(50, 1), tmp_path)
    assert DeltaTable(folder).version() == 0
    assert write_table(generate(60, 2), tmp_path)
    assert DeltaTable(folder).version() == 1
    assert DeltaTable(folder).to_pyarrow_table().num_rows == 60


def test_the_table_holds_what_was_written(trips: pa.Table, tmp_path: Path) -> None:
    """Rows and types, as Spark will see them."""
    write_table(trips, tmp_path)
    assert DeltaTable(str(tmp_path / "samples" / "nyctaxi" / "trips")).to_pyarrow_table().cast(SCHEMA).equals(trips)


def test_a_table_that_someone_changed_is_put_right(trips: pa.Table, tmp_path: Path) -> None:
    """A later commit of somebody else is noticed by its missing hash."""
    write_table(trips, tmp_path)
    DeltaTable(str(tmp_path / "samples" / "nyctaxi" / "trips")).delete("trip_distance > 1")
    assert write_table(trips, tmp_path)
    assert DeltaTable(str(tmp_path / "samples" / "nyctaxi" / "trips")).to_pyarrow_table().num_rows == 50
