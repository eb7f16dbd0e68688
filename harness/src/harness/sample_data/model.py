"""Columns and types of the table."""

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

# As `DESCRIBE samples.nyctaxi.trips` shows them on the platform; TIMESTAMP is an instant, here the wall clock read as UTC.
SCHEMA = pa.schema(
    [
        ("tpep_pickup_datetime", TIMESTAMP),
        ("tpep_dropoff_datetime", TIMESTAMP),
        ("trip_distance", pa.float64()),
        ("fare_amount", pa.float64()),
        ("pickup_zip", pa.int32()),
        ("dropoff_zip", pa.int32()),
    ]
)
