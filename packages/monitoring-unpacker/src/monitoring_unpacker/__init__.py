"""Unpack a Databricks inference table into typed, labelled rows and keep a quality monitor over them."""

from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.models import version_schema
from monitoring_unpacker.monitor import MonitorPlan, QualityMonitor
from monitoring_unpacker.packing import PACKINGS, pack
from monitoring_unpacker.process import Counts, process
from monitoring_unpacker.schema import Field, Schema
from monitoring_unpacker.signature import schema_of
from monitoring_unpacker.tables import Tables
from monitoring_unpacker.thresholds import Thresholds, read_thresholds
from monitoring_unpacker.unpacking import Payload, Quarantined, unpack
from monitoring_unpacker.verdict import Drift, Finding, Quality, Requests, Verdict, judge
from monitoring_unpacker.verdict_tables import Metrics, RequestTables, VerdictTable, metric_tables

__all__ = [
    "PACKINGS",
    "Counts",
    "Drift",
    "Field",
    "Finding",
    "Metrics",
    "MonitorPlan",
    "MonitoringError",
    "Payload",
    "Quality",
    "QualityMonitor",
    "Quarantined",
    "RequestTables",
    "Requests",
    "Schema",
    "Tables",
    "Thresholds",
    "Verdict",
    "VerdictTable",
    "judge",
    "metric_tables",
    "pack",
    "process",
    "read_thresholds",
    "schema_of",
    "unpack",
    "version_schema",
]
