"""`system.serving.served_entities`: what the `served_entity_id` of an inference table stands for, as a Delta table that SQL can join.

Source: docs.databricks.com/aws/en/admin/system-tables/model-serving. Columns that describe what the harness does not serve are left out.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import write_deltalake

from harness.clock import Clock, millis
from harness.config import WORKSPACE_ID, Layout
from harness.serving.model import Config, Endpoint
from harness.state import Documents, Store


@dataclass(frozen=True, slots=True)
class ServedEntityRecord:
    """One served entity of one configuration that was ever active; it outlives its endpoint. `change_time` is in milliseconds."""

    served_entity_id: str
    endpoint_id: str
    endpoint_name: str
    served_entity_name: str
    entity_name: str
    entity_version: str
    endpoint_config_version: int
    change_time: int


SCHEMA = pa.schema(
    [
        ("served_entity_id", pa.string()),
        ("workspace_id", pa.string()),
        ("endpoint_name", pa.string()),
        ("endpoint_id", pa.string()),
        ("served_entity_name", pa.string()),
        ("entity_type", pa.string()),
        ("entity_name", pa.string()),
        ("entity_version", pa.string()),
        ("endpoint_config_version", pa.int32()),
        ("change_time", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class ServedEntitiesTable:
    """The system table of one harness."""

    layout: Layout

    def write(self, records: Sequence[ServedEntityRecord]) -> None:
        """Replace the table's rows by `records`."""
        rows = [
            {
                "served_entity_id": record.served_entity_id,
                "workspace_id": WORKSPACE_ID,
                "endpoint_name": record.endpoint_name,
                "endpoint_id": record.endpoint_id,
                "served_entity_name": record.served_entity_name,
                "entity_type": "CUSTOM_MODEL",
                "entity_name": record.entity_name,
                "entity_version": record.entity_version,
                "endpoint_config_version": record.endpoint_config_version,
                "change_time": record.change_time * 1000,
            }
            for record in records
        ]
        folder = self.layout.warehouse / "system" / "serving" / "served_entities"
        folder.mkdir(parents=True, exist_ok=True)
        write_deltalake(folder, pa.Table.from_pylist(rows, schema=SCHEMA), mode="overwrite")


class ServedEntityRecords:
    """Every served entity that there ever was, as documents and as the system table."""

    def __init__(self, *, clock: Clock, store: Store, layout: Layout) -> None:
        self._clock = clock
        self._documents = Documents(store, "served_entity", ServedEntityRecord)
        self._table = ServedEntitiesTable(layout)
        self._writing = threading.Lock()

    def list(self) -> Sequence[ServedEntityRecord]:
        """Return all records."""
        return self._documents.list()

    def add(self, endpoint: Endpoint, config: Config) -> None:
        """Keep what the entities of `config` are from now on."""
        now = millis(self._clock.now())
        for entity in config.entities:
            record = ServedEntityRecord(
                served_entity_id=entity.id,
                endpoint_id=endpoint.id,
                endpoint_name=endpoint.name,
                served_entity_name=entity.name,
                entity_name=entity.entity_name,
                entity_version=entity.entity_version,
                endpoint_config_version=config.version,
                change_time=now,
            )
            self._documents.put(entity.id, record)
        with self._writing:
            self._table.write(self._documents.list())
