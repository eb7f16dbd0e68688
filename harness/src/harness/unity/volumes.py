"""Managed volumes: a record and a folder each."""

from dataclasses import replace
from pathlib import Path

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.names import FullName
from harness.state import Documents, Store
from harness.unity.folders import Folders, remove
from harness.unity.model import VolumeRecord


class VolumeCatalog:
    """Volumes by full name; their folders lie under `root/<catalog>/<schema>/<volume>`."""

    def __init__(self, *, root: Path, folders: Folders, clock: Clock, ids: Ids, store: Store, user: str) -> None:
        self._root = root
        self._folders = folders
        self._clock = clock
        self._ids = ids
        self._user = user
        self._records = Documents(store, "volume", VolumeRecord)

    def get(self, name: FullName) -> VolumeRecord:
        """Return a volume, or raise the platform's 404."""
        self._folders.schema(name.catalog, name.schema)
        found = self._records.get(str(name))
        if found is None:
            raise ApiError(404, "VOLUME_DOES_NOT_EXIST", f"Volume '{name}' does not exist.")
        return found

    def path(self, name: FullName) -> Path:
        """Return the folder of a volume that exists, or raise the platform's 404."""
        found = self.get(name)
        return self._root / found.catalog_name / found.schema_name / found.name

    def in_schema(self, catalog: str, schema: str) -> list[VolumeRecord]:
        """Return the volumes of a schema, in name order."""
        self._folders.schema(catalog, schema)
        return self._records.list(f"{catalog}.{schema}.")

    def create(self, name: FullName, *, comment: str = "") -> VolumeRecord:
        """Make a managed volume in a schema that exists."""
        with self._records.transaction():
            self._folders.schema(name.catalog, name.schema)
            self._check_free(name)
            self._folder(name).mkdir(parents=True, exist_ok=True)
            now = millis(self._clock.now())
            return self._records.put(
                str(name), VolumeRecord(name.catalog, name.schema, name.name, self._ids.uuid(), self._user, now, now, comment)
            )

    def update(self, name: FullName, *, comment: str | None, new_name: str | None) -> VolumeRecord:
        """Change the comment of a volume, its name, or both."""
        with self._records.transaction():
            found = self.get(name)
            target = FullName.parse(f"{name.catalog}.{name.schema}.{new_name or name.name}", "volume")
            if target != name:
                self._check_free(target)
                self._folder(name).rename(self._folder(target))
                self._records.delete(str(name))
            kept = found.comment if comment is None else comment
            return self._records.put(str(target), replace(found, name=target.name, comment=kept, updated_at=millis(self._clock.now())))

    def delete(self, name: FullName) -> None:
        """Remove a volume and its files."""
        remove(self.path(name))
        self._records.delete(str(name))

    def _folder(self, name: FullName) -> Path:
        return self._root / name.catalog / name.schema / name.name

    def _check_free(self, name: FullName) -> None:
        if self._records.get(str(name)) is not None:
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Volume '{name}' already exists")
