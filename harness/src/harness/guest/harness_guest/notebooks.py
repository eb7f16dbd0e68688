"""A notebook as a task: its cells in one IPython shell, in order, until its end or `dbutils.notebook.exit`."""

import os
import posixpath
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbruntime.namespace import UserNamespaceInitializer
from dbruntime.notebook import NotebookExit
from harness_guest.notebook_cells import Cell, NotNotebookError, cells
from harness_guest.notebook_child import run_apart
from harness_guest.notebook_packages import install
from harness_guest.notebook_record import Record
from harness_guest.notebook_restart import PythonRestart, begin_anew
from harness_guest.notebook_shell import make_shell

if TYPE_CHECKING:
    from harness_guest.entry import Spec

_WIDGET = re.compile(r"\$(?P<name>\w+)=(?P<value>.*)", re.DOTALL)


class NotEmulatedError(NotImplementedError):
    """A notebook asks for something of the platform that is not here."""


@dataclass(frozen=True)
class Place:
    """Where a notebook stands: its path in the workspace, and the file."""

    path: str
    file: Path

    def other(self, path: str) -> "Place":
        """Return the notebook at `path`, which may be relative to this one; `FileNotFoundError` when there is none."""
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(self.path), path))
        wanted = wanted if wanted.startswith(("/Workspace/", "/Volumes/")) else f"/Workspace{wanted}"
        for name in (wanted, f"{wanted}.py", f"{wanted}.ipynb"):
            file = Path(name)
            if file.is_file():
                return Place(wanted, file)
        raise FileNotFoundError(f"{self.path}: no notebook at {path} ({wanted})")


class Running:
    """A notebook under way, and those it includes by %run."""

    def __init__(self, place: Place, record: Record) -> None:
        self._dbutils = UserNamespaceInitializer.getOrCreate().dbutils
        self._record = record
        self._place = place
        lines = {name: partial(act, self) for name, act in _LINES.items()}
        self._shell = make_shell(UserNamespaceInitializer.getOrCreate().get_namespace_globals(), lines)

    def run(self, place: Place, inner: Sequence[tuple[str, str, int]] = (), begin: int = 0) -> None:
        """Run a notebook's cells from `begin` on; the first that fails ends it, with its error.

        `inner` are notebooks that it was including when Python was restarted: they come to their ends first.
        """
        before, self._place = self._place, place
        following = begin
        try:
            if inner:
                path, file, inner_begin = inner[0]
                self.run(Place(path, Path(file)), inner[1:], inner_begin)
            for following, cell in enumerate(_read(place)[begin:], start=begin + 1):  # noqa: B007 - a restart is told it
                with self._record.cell(cell):
                    self._run_cell(cell)
        except PythonRestart as restart:
            restart.stack.insert(0, (place.path, str(place.file), following))
            raise
        finally:
            self._place = before

    def _run_cell(self, cell: Cell) -> None:
        if cell.kind == "python":
            self._shell.run(cell.source, f"{self._place.path}, cell {cell.number}")
            return
        act = _CELLS.get(cell.kind)
        if act is None:
            known = ", ".join(f"%{name}" for name in ("python", *_CELLS, *_LINES))
            raise NotEmulatedError(f"{self._place.path}, cell {cell.number}: %{cell.kind} is not emulated; emulated: {known}")
        act(self, cell.source)

    def include(self, text: str) -> None:
        """`%run PATH $widget="value" …`: the cells of another notebook, in this one's namespace."""
        path, *given = shlex.split(text)
        values = {}
        for each in given:
            match = _WIDGET.fullmatch(each)
            if match is None:
                raise ValueError(f"%run {path}: '{each}' is not of the form $widget=\"value\"")
            values[match["name"]] = match["value"]
        self._dbutils.widgets.give(values)
        self.run(self._place.other(path))

    def start(self, path: str, timeout_seconds: float, arguments: Mapping[str, str]) -> str:
        """Run the notebook at `path` as a run of its own and return what it exits with."""
        return run_apart(self._place.other(path).path, timeout_seconds, arguments)

    def query(self, text: str) -> None:
        """`%sql`: each statement; the last one's rows are shown, and kept as `_sqldf`."""
        names = self._shell.names
        frame = None
        for statement in _statements(text):
            frame = names["spark"].sql(statement)
        if frame is not None:
            names["_sqldf"] = frame
            if frame.columns:
                names["display"](frame)

    def bash(self, text: str) -> None:
        """`%sh`: a shell script; it fails the cell only with `-e`, as on the platform."""
        options = ["-e"] if text.startswith("-e") else []
        subprocess.run(["/bin/bash", *options, "-c", text.removeprefix("-e")], check=bool(options), stdout=sys.stdout, stderr=sys.stderr)

    def files(self, text: str) -> None:
        """`%fs ls PATH` and the like."""
        name, *arguments = shlex.split(text)
        result = getattr(self._dbutils.fs, name)(*arguments)
        for line in result if isinstance(result, list) else [result]:
            print(line)  # noqa: T201 - what the cell shows

    def pip(self, text: str) -> None:
        """`%pip install …`: into this task alone."""
        install(shlex.split(text))

    def restart(self, _: str = "") -> None:
        """`%restart_python`: what was installed is seen, what was defined is gone."""
        raise PythonRestart

    def nothing(self, _: str) -> None:
        """`%md`: text for readers."""


_CELLS: Mapping[str, Callable[[Running, str], None]] = {"md": Running.nothing, "sql": Running.query, "sh": Running.bash}
_LINES: Mapping[str, Callable[[Running, str], None]] = {
    "run": Running.include,
    "fs": Running.files,
    "pip": Running.pip,
    "restart_python": Running.restart,
}


def run_notebook(spec: "Spec") -> str | None:
    """Run the notebook that `spec` names and return what it exits with.

    Its cells with what they showed are kept in the task's folder as `notebook.ipynb`, however it ends.
    """
    program = spec.program
    path = program["path"]
    place = Place(path if path.startswith("/") else f"/{path}", Path(program["file"]))
    left: Mapping[str, Any] = program.get("left") or {"stack": [(place.path, str(place.file), 0)], "widgets": {}, "cells": ()}
    dbutils = UserNamespaceInitializer.getOrCreate().dbutils
    dbutils.widgets.give(program["parameters"])
    dbutils.widgets.take_up(left["widgets"])
    dbutils.notebook.path = place.path
    os.chdir(place.file.parent)
    # Its own folder, and wherever `%cd` goes from there: IPython's own first entry, which templates count on.
    sys.path[:0] = ["", str(place.file.parent)]
    record = Record(Path(spec.folder), left["cells"])
    try:
        running = Running(place, record)
        dbutils.library.on_restart = running.restart
        dbutils.notebook.start = running.start
        running.run(place, left["stack"][1:], left["stack"][0][2])
    except NotebookExit as leave:
        print(f"Notebook exited: {leave.value}")  # noqa: T201 - as the platform shows it
        return leave.value
    except PythonRestart as restart:
        begin_anew(spec, stack=restart.stack, widgets=dbutils.widgets.standing(), cells=record.cells)
    finally:
        record.write()
    return None


def _read(place: Place) -> Sequence[Cell]:
    try:
        return cells(place.file.read_text())
    except NotNotebookError as error:
        raise NotNotebookError(f"{place.path}: {error}") from error


def _statements(text: str) -> list[str]:
    """Return the statements of a %sql cell; semicolons in quotes (`$$` round the body of a function too) and comments separate nothing."""
    quotes = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$"""
    parts = [found[0] for found in re.finditer(rf"(?:{quotes}|--[^\n]*|/\*.*?\*/|[^;])+", text, re.DOTALL)]
    return [part.strip() for part in parts if re.sub(r"--[^\n]*|/\*.*?\*/", "", part, flags=re.DOTALL).strip()]
