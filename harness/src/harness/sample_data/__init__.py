"""The table `samples.nyctaxi.trips`: synthetic trips, or a file of real ones."""

from harness.sample_data.files import load_parquet
from harness.sample_data.model import SCHEMA
from harness.sample_data.months import World, generate_month
from harness.sample_data.table import TRIPS, write_table
from harness.sample_data.trips import ROWS, SEED, generate

__all__ = ["ROWS", "SCHEMA", "SEED", "TRIPS", "World", "generate", "generate_month", "load_parquet", "write_table"]
