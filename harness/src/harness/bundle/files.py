"""Reading a bundle's files: the only part of resolution that touches the disk."""

from pathlib import Path

from harness.bundle.model import Source
from harness.bundle.yaml_text import parse
from harness.errors import UserError

_NAMES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
_GLOB = frozenset("*?[")


def find_bundle(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that holds a bundle."""
    for folder in (start.resolve(), *start.resolve().parents):
        if any((folder / name).is_file() for name in _NAMES):
            return folder
    raise UserError(f"{start}: no databricks.yml here or above; change to a bundle's folder, or name it with --bundle DIR")


def read_sources(folder: Path) -> list[Source]:
    """Return the bundle's file and those it includes, in the order of `include:` and of their names."""
    main = next((name for name in _NAMES if (folder / name).is_file()), None)
    if main is None:
        raise UserError(f"{folder}: no databricks.yml in this folder; name the bundle's folder with --bundle DIR")
    text = _read(folder / main)
    include = parse(text, main).child("include")
    names: dict[str, None] = {}
    for item in include.items() if include is not None else ():
        pattern = item.string() or ""
        found = sorted(each.relative_to(folder).as_posix() for each in folder.glob(pattern) if each.is_file())
        if not found and not _GLOB & set(pattern):
            raise UserError(f"{item.at}: include: there is no file '{pattern}'; correct the name or remove the line")
        names.update(dict.fromkeys(name for name in found if name != main))
    return [Source(main, text), *(Source(name, _read(folder / name)) for name in names)]


def read_overrides(folder: Path) -> dict[str, str]:
    """Return the texts of `.databricks/bundle/<target>/variable-overrides.json`, by target."""
    found = (folder / ".databricks" / "bundle").glob("*/variable-overrides.json")
    return {path.parent.name: _read(path) for path in found}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text: {error}; a bundle's files are UTF-8") from error
