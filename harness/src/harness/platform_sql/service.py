"""Carries the statements out over Unity Catalog's own service, so that SQL and REST have one truth."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ApiError
from harness.names import FullName
from harness.platform_sql import model
from harness.platform_sql.access import Access
from harness.platform_sql.errors import as_sql
from harness.platform_sql.model import Answer, SqlError, Statement
from harness.platform_sql.place import Place
from harness.platform_sql.ports import Act, Files
from harness.platform_sql.reading import read
from harness.unity.model import Change
from harness.unity.namespaces import split_schema
from harness.unity.service import UnityService


@dataclass(frozen=True, slots=True)
class PlatformSql:
    """`execute` a text in the place where a session stands."""

    unity: UnityService
    files: Files

    def execute(self, sql: str, *, values: Sequence[str | None] = (), catalog: str, schema: str) -> Answer:
        """Carry a statement out; names of one or two parts begin at `catalog` and `schema`. Raise `SqlError` for what cannot be."""
        try:
            return self._carried_out(read(sql, values), Place(catalog, schema))
        except ApiError as error:
            raise as_sql(error) from error

    def _carried_out(self, statement: Statement, place: Place) -> Answer:  # noqa: C901, PLR0911 - one case a statement
        match statement:
            case model.CreateCatalog():
                return self._create_catalog(statement)
            case model.DropCatalog(name, if_exists, cascade):
                return self._unless_missing(if_exists, lambda: self.unity.delete_catalog(name, force=cascade))
            case model.ShowCatalogs(like):
                return _listed("catalog STRING", [(each.name,) for each in self.unity.namespaces.catalogs()], like)
            case model.DescribeCatalog(name, extended):
                return self._describe_catalog(name, extended=extended)
            case model.ChangeOptions(name, options):
                self.unity.namespaces.update_catalog(name, change=Change(options=dict(options)))
                return Answer()
            case model.CreateVolume():
                return self._create_volume(statement, place)
            case model.DropVolume(names, if_exists):
                return self._unless_missing(if_exists, lambda: self.unity.volumes.delete(place.full_name(names, "volume")))
            case model.RenameVolume(names, to):
                return self._rename_volume(place.full_name(names, "volume"), place.full_name(to, "volume"))
            case model.ShowVolumes(schema, like):
                found = self.unity.volumes.in_schema(*split_schema(place.schema_name(schema)))
                return _listed("database STRING, volume_name STRING", [(each.schema_name, each.name) for each in found], like)
            case model.DescribeVolume(names):
                return self._describe_volume(place.full_name(names, "volume"))
            case model.ListFiles(path, limit):
                return self._list_files(path, limit)
            case _:
                return Access(self.unity).carried_out(statement, place)

    def _create_catalog(self, asked: model.CreateCatalog) -> Answer:
        try:
            self.unity.namespaces.create_catalog(asked.name, comment=asked.comment, options=asked.options)
        except ApiError as error:
            if not (asked.if_not_exists and error.error_code == "CATALOG_ALREADY_EXISTS"):
                raise
        return Answer()

    def _describe_catalog(self, name: str, *, extended: bool) -> Answer:
        # docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-describe-catalog. Assumption: how times are written.
        found = self.unity.namespaces.catalog(name)
        rows = [("Catalog Name", found.name), ("Comment", found.comment), ("Owner", found.owner), ("Catalog Type", "Regular")]
        if extended:
            about = found.about
            rows += [("Created By", about.created_by or found.owner), ("Created At", _time(about.created_at))]
            rows += [("Updated By", about.updated_by or found.owner), ("Updated At", _time(about.updated_at))]
        return Answer("info_name STRING, info_value STRING", tuple(rows))

    def _create_volume(self, asked: model.CreateVolume, place: Place) -> Answer:
        try:
            self.unity.volumes.create(place.full_name(asked.names, "volume"), comment=asked.comment)
        except ApiError as error:
            if not (asked.if_not_exists and error.error_code == "RESOURCE_ALREADY_EXISTS"):
                raise
        return Answer()

    def _rename_volume(self, name: FullName, to: FullName) -> Answer:
        if (name.catalog, name.schema) != (to.catalog, to.schema):
            raise SqlError("INVALID_PARAMETER_VALUE", "22023", f"Volume '{name}' cannot be renamed to '{to}': it stays in its schema")
        self.unity.volumes.update(name, new_name=to.name)
        return Answer()

    def _describe_volume(self, name: FullName) -> Answer:
        # docs.databricks.com/sql/language-manual/sql-ref-syntax-aux-describe-volume. Assumption: the location of a managed volume, which is
        # NULL by its text and a path by its example, is the path at which files are found.
        found = self.unity.volumes.get(name)
        location = f"/Volumes/{name.catalog}/{name.schema}/{name.name}"
        schema = "name STRING, catalog STRING, database STRING, owner STRING, storageLocation STRING, volumeType STRING, comment STRING"
        row = (found.name, found.catalog_name, found.schema_name, found.owner, location, "MANAGED", found.comment)
        return Answer(schema, (row,))

    def _list_files(self, path: str, limit: int | None) -> Answer:
        folder = self.files.locate(path)
        if not folder.exists():
            raise SqlError("PATH_NOT_FOUND", "42K03", f"Path does not exist: {path}.")
        children: Iterable[Path] = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        above = path.rstrip("/") if folder.is_dir() else path.rstrip("/").rpartition("/")[0]
        rows = [_file(above, child) for child in children]
        return Answer("path STRING, name STRING, size BIGINT, modification_time BIGINT", tuple(rows[:limit]))

    def _unless_missing(self, if_exists: bool, act: Act) -> Answer:  # noqa: FBT001 - the statement's own clause
        try:
            act()
        except ApiError as error:
            if not (if_exists and error.status == 404):
                raise
        return Answer()


def _listed(schema: str, rows: list[tuple[str, ...]], like: str) -> Answer:
    """Return the rows whose last name is like Spark's pattern: `*` is any text, `|` is or, and the rest a regular expression."""
    wanted = []
    for each in like.split("|"):
        try:
            wanted.append(re.compile(each.strip().replace("*", ".*"), re.IGNORECASE))
        except re.error:  # is like nothing, in Spark too
            continue
    return Answer(schema, tuple(row for row in rows if any(pattern.fullmatch(row[-1]) for pattern in wanted)))


def _file(folder: str, child: Path) -> tuple[str, str, int, int]:
    about = child.stat()
    return f"{folder}/{child.name}", child.name, 0 if child.is_dir() else about.st_size, int(about.st_mtime * 1000)


def _time(millis: int) -> str:
    return dt.datetime.fromtimestamp(millis / 1000, dt.UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
