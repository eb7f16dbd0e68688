"""Data quality monitoring: monitors of tables, refreshed for real, their metrics written as Delta tables."""
