"""The statements, what they are answered with, and why they fail. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PATH = "/__harness__/platform-sql"

Names = tuple[str, ...]
"""The parts of a name as given: one to three."""


class SqlError(Exception):
    """Spark's kind of error: a condition, a SQLSTATE and a message."""

    def __init__(self, condition: str, sql_state: str, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        self.sql_state = sql_state
        self.message = message


@dataclass(frozen=True, slots=True)
class Securable:
    """What privileges, tags, owners and comments are about: its kind as REST calls it (`schema`, not `database`), and its name."""

    kind: str
    names: Names


@dataclass(frozen=True, slots=True)
class CreateCatalog:
    """`CREATE CATALOG`."""

    name: str
    if_not_exists: bool
    comment: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropCatalog:
    """`DROP CATALOG`."""

    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class ShowCatalogs:
    """`SHOW CATALOGS`; `like` is Spark's pattern: `*` any text, `|` or."""

    like: str


@dataclass(frozen=True, slots=True)
class DescribeCatalog:
    """`DESCRIBE CATALOG`."""

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """`CREATE VOLUME`."""

    names: Names
    if_not_exists: bool
    comment: str


@dataclass(frozen=True, slots=True)
class DropVolume:
    """`DROP VOLUME`."""

    names: Names
    if_exists: bool


@dataclass(frozen=True, slots=True)
class RenameVolume:
    """`ALTER VOLUME … RENAME TO …`."""

    names: Names
    to: Names


@dataclass(frozen=True, slots=True)
class ShowVolumes:
    """`SHOW VOLUMES`; `schema` is empty for the session's."""

    schema: Names
    like: str


@dataclass(frozen=True, slots=True)
class DescribeVolume:
    """`DESCRIBE VOLUME`."""

    names: Names


@dataclass(frozen=True, slots=True)
class ChangeOwner:
    """`ALTER … OWNER TO`."""

    of: Securable
    principal: str


@dataclass(frozen=True, slots=True)
class ChangeOptimization:
    """`ALTER … ENABLE | DISABLE | INHERIT PREDICTIVE OPTIMIZATION`."""

    of: Securable
    to: Literal["ENABLE", "DISABLE", "INHERIT"]


@dataclass(frozen=True, slots=True)
class ChangeOptions:
    """`ALTER CATALOG … OPTIONS`."""

    catalog: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChangeTags:
    """`SET TAGS`, `UNSET TAGS`, `SET TAG ON` and `UNSET TAG ON`: these two, which are `strict`, refuse what is or is not there already."""

    on: Securable
    put: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True)
class DropKey:
    """`ALTER TABLE … DROP CONSTRAINT | PRIMARY KEY | FOREIGN KEY (…)`: `name` is empty for the latter two, `columns` of a foreign key."""

    table: Names
    name: str = ""
    columns: tuple[str, ...] = ()
    if_exists: bool = False
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Comment:
    """`COMMENT ON CATALOG` and `COMMENT ON VOLUME`; Spark knows the others itself."""

    on: Securable
    text: str


@dataclass(frozen=True, slots=True)
class ChangeGrants:
    """`GRANT` and `REVOKE`."""

    principal: str
    privileges: tuple[str, ...]
    on: Securable
    grant: bool


@dataclass(frozen=True, slots=True)
class ShowGrants:
    """`SHOW GRANTS`; of everybody when `principal` is empty."""

    on: Securable
    principal: str


@dataclass(frozen=True, slots=True)
class ListFiles:
    """`LIST '/Volumes/…'`."""

    path: str
    limit: int | None


Statement = (
    CreateCatalog
    | DropCatalog
    | ShowCatalogs
    | DescribeCatalog
    | CreateVolume
    | DropVolume
    | RenameVolume
    | ShowVolumes
    | DescribeVolume
    | ChangeOwner
    | ChangeOptimization
    | ChangeOptions
    | ChangeTags
    | DropKey
    | Comment
    | ChangeGrants
    | ShowGrants
    | ListFiles
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of texts and whole numbers; `schema` is their DDL, empty for a statement that answers nothing."""

    schema: str = ""
    rows: tuple[tuple[Any, ...], ...] = ()
