"""What Unity Catalog knows about catalogs, schemas, tables and volumes. Pure."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class CatalogRecord:
    """What is kept about a catalog beside its folder."""

    name: str
    catalog_id: str
    owner: str
    created_at: int
    updated_at: int
    comment: str = ""
    properties: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SchemaRecord:
    """What is kept about a schema beside its folder."""

    catalog_name: str
    name: str
    schema_id: str
    owner: str
    created_at: int
    updated_at: int
    comment: str = ""
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`catalog.schema`."""
        return f"{self.catalog_name}.{self.name}"


@dataclass(frozen=True, slots=True)
class VolumeRecord:
    """A managed volume; its files lie in its folder."""

    catalog_name: str
    schema_name: str
    name: str
    volume_id: str
    owner: str
    created_at: int
    updated_at: int
    comment: str = ""

    @property
    def full_name(self) -> str:
        """`catalog.schema.volume`."""
        return f"{self.catalog_name}.{self.schema_name}.{self.name}"


@dataclass(frozen=True, slots=True)
class TableRecord:
    """Which name a table id stood for when the table was last looked at."""

    full_name: str
    table_id: str


@dataclass(frozen=True, slots=True)
class ColumnInfo:
    """One column, in the platform's spelling."""

    name: str
    type_text: str
    type_json: str
    type_name: str
    position: int
    nullable: bool
    comment: str | None = None
    partition_index: int | None = None


@dataclass(frozen=True, slots=True)
class TableInfo:
    """One table, as `tables.get` answers."""

    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    table_id: str
    columns: list[ColumnInfo]
    properties: dict[str, str]
    storage_location: str
    owner: str
    created_at: int
    updated_at: int
    comment: str | None = None
    table_type: Literal["MANAGED"] = "MANAGED"
    data_source_format: Literal["DELTA"] = "DELTA"
