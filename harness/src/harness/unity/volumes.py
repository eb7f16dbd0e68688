"""Managed volumes: a folder each, and a record. A record whose folder others have removed counts for nothing."""

import shutil
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.names import FullName, check_name, moved
from harness.state import Documents, Store
from harness.unity.folders import Folders, hide, remove, sweep
from harness.unity.model import INFORMATION_SCHEMA, VolumeRecord


@dataclass(frozen=True, slots=True)
class Move:
    """A renaming that is written down and perhaps not carried out yet."""

    origin: str
    target: str


class VolumeCatalog:
    """Volumes by full name; their folders lie under `root/<catalog>/<schema>/<volume>`."""

    def __init__(self, *, root: Path, folders: Folders, clock: Clock, ids: Ids, store: Store, user: str) -> None:
        self._root = root
        self._folders = folders
        self._clock = clock
        self._ids = ids
        self._user = user
        self._records = Documents(store, "volume", VolumeRecord)
        self._moves = Documents(store, "volume_move", Move)
        self._lock = threading.RLock()  # record and folder change together; taken before the store's, so never ask from a transaction
        sweep(root, depth=2)
        for each in self._moves.list():
            self._finish(each)

    def get(self, name: FullName) -> VolumeRecord:
        """Return a volume, or raise the platform's 404."""
        self._folders.schema(name.catalog, name.schema)
        found = self._there(name)
        if found is None:
            raise ApiError(404, "VOLUME_DOES_NOT_EXIST", f"Volume '{name}' does not exist.")
        return found

    def path(self, name: FullName) -> Path:
        """Return the folder of a volume that exists, or raise the platform's 404."""
        self.get(name)
        return self.folder(name)

    def in_schema(self, catalog: str, schema: str) -> list[VolumeRecord]:
        """Return the volumes of a schema, in name order."""
        if schema == INFORMATION_SCHEMA:
            return []
        with self._lock, self._records.transaction():  # so that a schema which is renamed meanwhile is not found empty
            self._folders.schema(catalog, schema)
            names = [FullName(catalog, schema, each.name) for each in self._records.list(f"{catalog}.{schema}.")]
            return [found for name in names if (found := self._there(name))]

    def create(self, name: FullName, *, comment: str = "", user: str = "") -> VolumeRecord:
        """Make a managed volume in a schema that exists."""
        with self._lock, self._records.transaction():
            self._folders.schema(name.catalog, name.schema)
            self._check_free(name)
            self.folder(name).mkdir(parents=True, exist_ok=True)
            now, whose = millis(self._clock.now()), user or self._user
            record = VolumeRecord(name.catalog, name.schema, name.name, self._ids.uuid(), whose, now, now, comment, whose, whose)
            return self._records.put(str(name), record)

    def update(
        self, name: FullName, *, comment: str | None = None, new_name: str | None = None, owner: str | None = None, user: str = ""
    ) -> VolumeRecord:
        """Change the comment of a volume, its owner, its name, or all of these."""
        target = replace(name, name=check_name(name.name if new_name is None else new_name, "volume"))
        if owner == "":
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Volume '{name}': owner must not be empty")
        with self._lock:
            with self._records.transaction():
                found = self.get(name)
                if target != name:
                    self._check_free(target)
                    if self.folder(target).exists():
                        raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"There are files at {_path(target)} already")
                    self._moves.put(str(target), Move(str(name), str(target)))
                    self._records.delete(str(name))
                changed = replace(
                    found,
                    name=target.name,
                    comment=found.comment if comment is None else comment,
                    owner=found.owner if owner is None else owner,
                    updated_at=millis(self._clock.now()),
                    updated_by=user or self._user,
                )
                self._records.put(str(target), changed)
            if target != name:
                self._finish(Move(str(name), str(target)))
            return changed

    def delete(self, name: FullName) -> None:
        """Remove a volume and its files."""
        with self._lock, self._records.transaction():
            self.get(name)
            aside = hide(self.folder(name))
            self._records.delete(str(name))
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)

    def forget_schema(self, catalog: str, schema: str) -> None:
        """Remove the volumes of a schema that is gone, and their files."""
        with self._lock, self._records.transaction():
            for each in self._records.list(f"{catalog}.{schema}."):
                self._records.delete(each.full_name)
        remove(self._root / catalog / schema)

    def follow(self, origin: str, target: str) -> None:
        """Call the volumes of a catalog or a schema by its new name; their folders are there already."""
        for found in self._records.list(f"{origin}."):
            name = FullName.parse(moved(found.full_name, origin, target) or found.full_name, "volume")
            self._records.delete(found.full_name)
            self._records.put(str(name), replace(found, catalog_name=name.catalog, schema_name=name.schema))

    def _there(self, name: FullName) -> VolumeRecord | None:
        """Return the record of a volume that has its folder."""
        with self._lock:
            found = self._records.get(str(name))
            return found if found is not None and self.folder(name).is_dir() else None

    def _finish(self, move: Move) -> None:
        """Carry out a renaming that is written down; one that a harness did not live to carry out, the next one does when it starts."""
        with self._records.transaction():
            origin, target = (self.folder(FullName.parse(name, "volume")) for name in (move.origin, move.target))
            if origin.is_dir() and not target.exists():
                origin.rename(target)
            self._moves.delete(move.target)

    def folder(self, name: FullName) -> Path:
        """Return where the files of a volume of this name lie."""
        return self._root / name.catalog / name.schema / name.name

    def _check_free(self, name: FullName) -> None:
        if self._there(name) is not None:
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Volume '{name}' already exists")


def _path(name: FullName) -> str:
    return f"/Volumes/{name.catalog}/{name.schema}/{name.name}"
