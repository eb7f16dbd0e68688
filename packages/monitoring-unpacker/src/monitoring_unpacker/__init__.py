"""Unpack a Databricks inference table into typed, labelled rows and keep a quality monitor over them."""

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.monitor import MonitorPlan, QualityMonitor
from monitoring_unpacker.packing import PACKINGS, pack
from monitoring_unpacker.process import Counts, process
from monitoring_unpacker.schema import Field, Schema
from monitoring_unpacker.signature import schema_of
from monitoring_unpacker.tables import Tables
from monitoring_unpacker.unpacking import Payload, Quarantined, unpack

__all__ = [
    "PACKINGS",
    "Counts",
    "Field",
    "MonitorPlan",
    "MonitoringError",
    "Payload",
    "QualityMonitor",
    "Quarantined",
    "Schema",
    "Tables",
    "pack",
    "process",
    "schema_of",
    "unpack",
]
