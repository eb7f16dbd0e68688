"""Carries the statements out over Unity Catalog's own service, so that SQL and REST have one truth."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ApiError
from harness.names import FullName, check_name
from harness.platform_sql import model
from harness.platform_sql.model import Answer, Names, Securable, SqlError, Statement
from harness.platform_sql.ports import Act, Files
from harness.platform_sql.reading import read
from harness.unity.grants import Change
from harness.unity.namespaces import split_schema
from harness.unity.service import UnityService

# What Unity Catalog's API says -> (condition, SQLSTATE). Assumption: a code that is not
# here is the condition itself, with the state of a failed statement; states of what already exists or is not empty are the standard's.
_CONDITIONS = {
    "CATALOG_ALREADY_EXISTS": ("CATALOG_ALREADY_EXISTS", "42710"),
    "CATALOG_DOES_NOT_EXIST": ("NO_SUCH_CATALOG_EXCEPTION", "42704"),
    "CATALOG_NOT_EMPTY": ("CATALOG_NOT_EMPTY", "2BP01"),
    "SCHEMA_DOES_NOT_EXIST": ("SCHEMA_NOT_FOUND", "42704"),
    "SCHEMA_NOT_EMPTY": ("SCHEMA_NOT_EMPTY", "2BP01"),
    "TABLE_DOES_NOT_EXIST": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    "RESOURCE_ALREADY_EXISTS": ("VOLUME_ALREADY_EXISTS", "42000"),
    "VOLUME_DOES_NOT_EXIST": ("UC_VOLUME_NOT_FOUND", "42704"),
    "NOT_IMPLEMENTED": ("UNSUPPORTED_FEATURE", "0A000"),
}
_FAILED = "56000"
_NAMED = {"volume", "table", "function"}


@dataclass(frozen=True, slots=True)
class PlatformSql:
    """`execute` a text in the place where a session stands."""

    unity: UnityService
    files: Files

    def execute(self, sql: str, *, catalog: str, schema: str) -> Answer:
        """Carry a statement out; names of one or two parts begin at `catalog` and `schema`. Raise `SqlError` for what cannot be."""
        try:
            return self._carried_out(read(sql), _Place(catalog, schema))
        except ApiError as error:
            condition, state = _CONDITIONS.get(error.error_code, (error.error_code, _FAILED))
            raise SqlError(condition, state, error.message) from error

    def _carried_out(self, statement: Statement, place: "_Place") -> Answer:  # noqa: C901, PLR0911, PLR0912 - one case a statement
        match statement:
            case model.CreateCatalog():
                return self._create_catalog(statement)
            case model.DropCatalog(name, if_exists, cascade):
                return self._unless_missing(if_exists, lambda: self.unity.delete_catalog(name, force=cascade))
            case model.ShowCatalogs(like):
                return _listed("catalog STRING", [(each.name,) for each in self.unity.namespaces.catalogs()], like)
            case model.DescribeCatalog(name, extended):
                return self._describe_catalog(name, extended=extended)
            case model.CreateVolume():
                return self._create_volume(statement, place)
            case model.DropVolume(names, if_exists):
                return self._unless_missing(if_exists, lambda: self.unity.volumes.delete(place.full_name(names, "volume")))
            case model.RenameVolume(names, to):
                return self._rename_volume(place.full_name(names, "volume"), place.full_name(to, "volume"))
            case model.ShowVolumes(schema, like):
                above = place.schema_name(schema)
                found = self.unity.volumes.in_schema(*split_schema(above))
                return _listed("database STRING, volume_name STRING", [(each.schema_name, each.name) for each in found], like)
            case model.DescribeVolume(names):
                return self._describe_volume(place.full_name(names, "volume"))
            case model.Comment(on, text):
                return self._comment(on, text, place)
            case model.ChangeGrants():
                return self._change_grants(statement, place)
            case model.ShowGrants(on, principal):
                return self._show_grants(on, principal, place)
            case model.ListFiles(path, limit):
                return self._list_files(path, limit)

    def _create_catalog(self, asked: model.CreateCatalog) -> Answer:
        try:
            self.unity.namespaces.create_catalog(asked.name, comment=asked.comment)
        except ApiError as error:
            if not (asked.if_not_exists and error.error_code == "CATALOG_ALREADY_EXISTS"):
                raise
        return Answer()

    def _describe_catalog(self, name: str, *, extended: bool) -> Answer:
        found = self.unity.namespaces.catalog(name)
        rows = [("Catalog Name", found.name), ("Comment", found.comment), ("Owner", found.owner)]
        if extended:
            rows += [("Catalog Type", "Regular"), ("Created At", str(found.created_at)), ("Updated At", str(found.updated_at))]
        return Answer("info_name STRING, info_value STRING", tuple(rows))

    def _create_volume(self, asked: model.CreateVolume, place: "_Place") -> Answer:
        try:
            self.unity.volumes.create(place.full_name(asked.names, "volume"), comment=asked.comment)
        except ApiError as error:
            if not (asked.if_not_exists and error.error_code == "RESOURCE_ALREADY_EXISTS"):
                raise
        return Answer()

    def _rename_volume(self, name: FullName, to: FullName) -> Answer:
        if (name.catalog, name.schema) != (to.catalog, to.schema):
            raise SqlError("INVALID_PARAMETER_VALUE", _FAILED, f"Volume '{name}' cannot be renamed to '{to}': it stays in its schema")
        self.unity.volumes.update(name, comment=None, new_name=to.name)
        return Answer()

    def _describe_volume(self, name: FullName) -> Answer:
        found = self.unity.volumes.get(name)
        location = f"/Volumes/{name.catalog}/{name.schema}/{name.name}"
        schema = "name STRING, catalog STRING, database STRING, owner STRING, storage_location STRING, volume_type STRING, comment STRING"
        row = (found.name, found.catalog_name, found.schema_name, found.owner, location, "MANAGED", found.comment)
        return Answer(schema, (row,))

    def _comment(self, on: Securable, text: str, place: "_Place") -> Answer:
        if on.kind == "catalog":
            self.unity.namespaces.update_catalog(_one(on.names), text)
        else:
            self.unity.volumes.update(place.full_name(on.names, "volume"), comment=text, new_name=None)
        return Answer()

    def _change_grants(self, asked: model.ChangeGrants, place: "_Place") -> Answer:
        privileges = list(asked.privileges)
        change = Change(asked.principal, add=privileges) if asked.grant else Change(asked.principal, remove=privileges)
        self.unity.grants.update(asked.on.kind, place.name_of(asked.on), [change])
        return Answer()

    def _show_grants(self, on: Securable, principal: str, place: "_Place") -> Answer:
        name = place.name_of(on)
        held = self.unity.grants.get(on.kind, name).privileges
        rows = [
            (who, privilege.replace("_", " "), on.kind.upper(), name)
            for who, privileges in held.items()
            if principal in {"", who}
            for privilege in privileges
        ]
        return Answer("principal STRING, actionType STRING, objectType STRING, objectKey STRING", tuple(rows))

    def _list_files(self, path: str, limit: int | None) -> Answer:
        folder = self.files.locate(path)
        if not folder.exists():
            raise SqlError("PATH_NOT_FOUND", "42K03", f"Path does not exist: {path}")
        children: Iterable[Path] = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        rows = [_file(path if folder.is_dir() else path.rpartition("/")[0], child) for child in children]
        return Answer("path STRING, name STRING, size BIGINT, modification_time BIGINT", tuple(rows[:limit]))

    def _unless_missing(self, if_exists: bool, act: Act) -> Answer:  # noqa: FBT001 - the statement's own clause
        try:
            act()
        except ApiError as error:
            if not (if_exists and error.status == 404):
                raise
        return Answer()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where names that are not whole begin."""

    catalog: str
    schema: str

    def full_name(self, names: Names, kind: str) -> FullName:
        whole = (self.catalog, self.schema, *names)[-3:] if len(names) < 3 else names
        if len(whole) != 3:
            raise SqlError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", f"{'.'.join(names)} is not a valid name: it has more than 3 parts.")
        kinds = ("catalog", "schema", kind)
        return FullName(*(check_name(part, what) for part, what in zip(whole, kinds, strict=True)))

    def schema_name(self, names: Names) -> str:
        if len(names) > 2:
            raise SqlError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", f"{'.'.join(names)} is not a valid name: it has more than 2 parts.")
        catalog, schema = names if len(names) == 2 else (self.catalog, *(names or (self.schema,)))
        return f"{check_name(catalog, 'catalog')}.{check_name(schema, 'schema')}"

    def name_of(self, securable: Securable) -> str:
        if securable.kind in _NAMED:
            return str(self.full_name(securable.names, securable.kind))
        return self.schema_name(securable.names) if securable.kind == "schema" else check_name(_one(securable.names), securable.kind)


def _one(names: Names) -> str:
    if len(names) != 1:
        raise SqlError("IDENTIFIER_TOO_MANY_NAME_PARTS", "42601", f"{'.'.join(names)} is not a valid name: it has more than 1 part.")
    return names[0]


def _listed(schema: str, rows: list[tuple[str, ...]], like: str) -> Answer:
    patterns = [each.strip().lower() for each in like.split("|")]
    return Answer(schema, tuple(row for row in rows if any(fnmatch.fnmatchcase(row[-1], each) for each in patterns)))


def _file(folder: str, child: Path) -> tuple[str, str, int, int]:
    about, name = child.stat(), f"{child.name}/" if child.is_dir() else child.name
    return f"{folder.rstrip('/')}/{name}", name, 0 if child.is_dir() else about.st_size, int(about.st_mtime * 1000)
