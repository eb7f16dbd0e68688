"""What Unity Catalog knows about catalogs, schemas, tables and volumes. Pure."""

from dataclasses import dataclass, field, replace
from typing import Literal

from harness.unity.about import About

INFORMATION_SCHEMA = "information_schema"
SYSTEM_USER = "System user"
METASTORE_ID = "11111111-2222-4333-8444-555555555555"
METASTORE_NAME = "harness"


@dataclass(frozen=True, slots=True)
class _Described:
    """What a folder says of itself."""

    about: About

    @property
    def comment(self) -> str:
        """What users say about it."""
        return self.about.comment

    @property
    def properties(self) -> dict[str, str]:
        """What users write on it."""
        return self.about.properties

    @property
    def created_at(self) -> int:
        """When it was made, in milliseconds."""
        return self.about.created_at

    @property
    def updated_at(self) -> int:
        """When what is said of it changed last, in milliseconds."""
        return self.about.updated_at


@dataclass(frozen=True, slots=True)
class CatalogRecord(_Described):
    """A catalog: the name of a folder, and what that says of itself."""

    name: str
    catalog_id: str
    owner: str

    @property
    def full_name(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True, slots=True)
class SchemaRecord(_Described):
    """A schema: the names of a folder and of the one above, and what it says of itself."""

    catalog_name: str
    name: str
    schema_id: str
    owner: str

    @property
    def full_name(self) -> str:
        """`catalog.schema`."""
        return f"{self.catalog_name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Change:
    """What an update asks for; None leaves what is there."""

    comment: str | None = None
    owner: str | None = None
    properties: dict[str, str] | None = None
    new_name: str | None = None
    isolation_mode: Literal["OPEN", "ISOLATED"] | None = None
    enable_predictive_optimization: Literal["INHERIT", "ENABLE", "DISABLE"] | None = None
    options: dict[str, str] | None = None
    custom_max_retention_hours: int | None = None

    def with_comment(self, comment: str | None) -> "Change":
        """Return it with this comment, if there is one."""
        return self if comment is None else replace(self, comment=comment)


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
    created_by: str = ""
    updated_by: str = ""

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
class Constraint:
    """A primary or foreign key, as declared: nothing holds tables to it, there as here."""

    name: str
    child_columns: list[str]
    parent_table: str = ""
    """Empty for a primary key."""
    parent_columns: list[str] = field(default_factory=list)
    timeseries_columns: list[str] = field(default_factory=list)
    rely: bool = False


@dataclass(frozen=True, slots=True)
class TableNotes:
    """What is known of a table beside its log."""

    owner: str = ""


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
    type_precision: int = 0
    type_scale: int = 0


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
    owner: str
    created_at: int
    updated_at: int
    created_by: str
    updated_by: str
    storage_location: str | None = None
    comment: str | None = None
    table_type: Literal["MANAGED", "EXTERNAL", "VIEW"] = "MANAGED"
    data_source_format: str = "DELTA"
    view_definition: str | None = None
    constraints: list[Constraint] = field(default_factory=list)
