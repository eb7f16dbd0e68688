"""Which files of a bundle travel to the workspace: all but what git ignores, with what `sync:` adds and leaves out."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from harness.bundle.model import Bundle
from harness.bundle.nodes import Node
from harness.errors import UserError

# What no deployment needs, whatever .gitignore says: git's own folder, what clients keep beside a bundle, and the harness's state.
_NEVER = frozenset({".git", ".databricks", ".harness", ".built.json", ".built.lock"})
_IGNORE = ".gitignore"


@dataclass(frozen=True, slots=True)
class Synced:
    """Local files by their path below `root`, the folder that becomes `workspace.file_path`."""

    root: Path
    files: dict[str, Path]


def synced_files(bundle: Bundle, folder: Path) -> Synced:
    """Return what travels of the bundle in `folder`: docs.databricks.com/dev-tools/bundles/settings, sync."""
    folder = folder.resolve()
    paths = bundle.tree.find("sync", "paths")
    starts = [folder] if paths is None else [_start(folder, at) for at in paths.items()]
    root = Path(os.path.commonpath([folder, *starts]))
    include, exclude = (_spec(bundle.tree, name) for name in ("include", "exclude"))
    found = {}
    for start in starts:
        for path, ignored in _walk(start, _rules_above(start)):
            # Patterns of `sync:` are relative to the bundle's folder; a file beside it is `../…` there.
            name = os.path.relpath(path, folder)
            if (not ignored or include.match_file(name)) and not exclude.match_file(name):
                found[path.relative_to(root).as_posix()] = path
    return Synced(root, dict(sorted(found.items())))


def _start(folder: Path, at: Node) -> Path:
    start = (folder / at.at.folder / (at.string() or "")).resolve()
    if not start.is_dir():
        raise UserError(f"{at.at}: sync.paths: there is no folder {at.string()}; correct or remove it")
    return start


def _spec(tree: Node, name: str) -> GitIgnoreSpec:
    found = tree.find("sync", name)
    lines = [(each.at.folder / (each.string() or "")).as_posix() for each in (found.items() if found is not None else ())]
    return GitIgnoreSpec.from_lines(lines)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one .gitignore says of the files below its folder."""

    folder: Path
    spec: GitIgnoreSpec

    def says(self, path: Path, *, is_folder: bool) -> bool | None:
        """Return whether a path is ignored, None when these rules do not speak of it."""
        return self.spec.check_file(path.relative_to(self.folder).as_posix() + ("/" if is_folder else "")).include


def _rules_above(start: Path) -> list[_Rules]:
    """Return the rules of the folders above `start` up to its repository's own; none when it is in no repository."""
    above = []
    for parent in (start, *start.parents):
        if parent != start:
            above.append(parent)
        if (parent / ".git").exists():
            return [rules for folder in reversed(above) for rules in _rules(folder)]
    return []


def _rules(folder: Path) -> list[_Rules]:
    path = folder / _IGNORE
    return [_Rules(folder, GitIgnoreSpec.from_lines(path.read_text("utf-8", errors="replace").splitlines()))] if path.is_file() else []


def _walk(folder: Path, rules: Sequence[_Rules], *, ignored: bool = False) -> Iterator[tuple[Path, bool]]:
    """Yield the files below `folder` with whether git ignores them; an ignored folder is looked into, as `sync.include` may want of it."""
    rules = [*rules, *_rules(folder)]
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        path = Path(entry.path)
        if entry.name in _NEVER:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, rules, ignored=ignored or _ignored(path, rules, is_folder=True))
        elif entry.is_file():
            yield path, ignored or _ignored(path, rules, is_folder=False)


def _ignored(path: Path, rules: Sequence[_Rules], *, is_folder: bool) -> bool:
    said = [each.says(path, is_folder=is_folder) for each in rules]
    return next((each for each in reversed(said) if each is not None), False)
