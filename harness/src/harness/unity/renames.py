"""Renames catalogs, schemas and registered models, with all that they hold.

What lies on disk moves in one rename a root; records move in the same transaction, which keeps whoever asks for one waiting until all is
done. A harness that is killed meanwhile finishes when it starts again: the note says what.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.config import CATALOGS
from harness.errors import ApiError, NotEmulated
from harness.state import Store
from harness.unity.folders import Folders

_NOTE = ".rename.json"
_KINDS = {1: "catalog", 2: "schema", 3: "registered model"}

Follow = Callable[[str, str], None]
HeldBy = Callable[[str], Sequence[str]]
"""What goes by the name of a place, or of something in it, and would not find it again: told in words."""


@dataclass(frozen=True, slots=True)
class Rename:
    """From one full name to another, of the same number of parts."""

    origin: str
    target: str


class Renames:
    """Carries renamings out; `follow` are those who keep records by name, told of every renaming, perhaps twice."""

    def __init__(self, *, folders: Folders, files: Path, store: Store, follow: Sequence[Follow], held_by: HeldBy) -> None:
        self._folders = folders
        self._roots = (folders.root, files / "Volumes", files / "Models")
        self._models = files / "Models"
        self._note = folders.root / _NOTE
        self._store = store
        self._follow = follow
        self._held_by = held_by

    def rename(self, origin: str, target: str, *, first: Callable[[], object]) -> None:
        """Rename, all or nothing, after `first`, which may refuse. Not to be asked within a transaction: the note goes when all is kept."""
        with self._store.transaction():
            self._check(origin, target)
            first()
            draft = self._note.with_suffix(".new")
            draft.write_bytes(msgspec.json.encode(Rename(origin, target)))
            draft.replace(self._note)
            done: list[tuple[Path, Path]] = []
            try:
                with self._folders.still:
                    for old, new in self._places(origin, target):
                        _require_free(new, target)
                        old.rename(new)
                        done.append((old, new))
                self._tell(origin, target)
            except BaseException:
                with self._folders.still:
                    for old, new in reversed(done):
                        new.rename(old)
                self._note.unlink()
                raise
        self._note.unlink()

    def finish(self) -> None:
        """Carry out what a harness that was killed has begun."""
        if not self._note.exists():
            return
        begun = msgspec.json.decode(self._note.read_bytes(), type=Rename)
        with self._store.transaction():
            for old, new in self._places(begun.origin, begun.target):
                if not new.exists():
                    old.rename(new)
            self._tell(begun.origin, begun.target)
        self._note.unlink()

    def _check(self, origin: str, target: str) -> None:
        """Raise the platform's error, or say why not, when `origin` cannot be renamed to `target`."""
        kind = _KINDS[origin.count(".") + 1]
        if origin in CATALOGS or origin in {f"{name}.default" for name in CATALOGS}:
            raise NotEmulated(f"renaming the {kind} '{origin}', which every harness has,")
        held = self._held_by(origin)
        if held:
            raise NotEmulated(f"renaming the {kind} '{origin}' to '{target}' while {', '.join(held)}")

    def _places(self, origin: str, target: str) -> list[tuple[Path, Path]]:
        """Return the folders that are there to be moved, and where to: first the one that says whether the name is free."""
        old, new = origin.split("."), target.split(".")
        roots = (self._models,) if len(old) == 3 else self._roots  # a table can have a model's name
        pairs = [(root.joinpath(*old), root.joinpath(*new)) for root in roots]
        return [(old, new) for old, new in pairs if old.is_dir()]

    def _tell(self, origin: str, target: str) -> None:
        for follow in self._follow:
            follow(origin, target)


def _require_free(folder: Path, target: str) -> None:
    if folder.exists():
        raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"There are files of '{target}' already")  # Assumption: the wording
