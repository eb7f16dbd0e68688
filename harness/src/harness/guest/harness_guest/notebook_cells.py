"""Notebooks as text: source files and `.ipynb`, split into cells. Pure.

Source format: docs.databricks.com/notebooks/notebook-export-import and docs.databricks.com/notebooks/notebooks-code (magics).
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = "# Databricks notebook source"
_SEPARATOR = "# COMMAND ----------"
_MAGIC = re.compile(r"# MAGIC ?")
_TITLE = re.compile(r"# DBTITLE \d+,\s*(?P<title>.*)")
_NAME = re.compile(r"%%?(?P<name>[a-z]+)(?:[ \t]*\n|[ \t]+|$)(?P<rest>.*)", re.DOTALL)
# Magics that the whole cell is for; any other is a line of Python code to IPython, and may stand among such lines.
WHOLE = frozenset({"md", "sql", "sh", "scala", "r", "python"})
LANGUAGES = {"python": "python", "sql": "sql", "scala": "scala", "r": "r"}


class NotNotebookError(ValueError):
    """A file is no notebook that can be read."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: what kind it is (one of `WHOLE`), its text, and where that begins in the notebook."""

    kind: str
    source: str
    number: int
    """Of the cell, from 1."""
    line: int = 1
    """In the source file; in the cell itself for an `.ipynb`."""
    title: str = ""


def cells(text: str) -> list[Cell]:
    """Return the cells of a notebook, empty ones left out; `NotNotebookError` when `text` is none."""
    return _of_json(text) if text.lstrip().startswith("{") else _of_source(text)


def _of_source(text: str) -> list[Cell]:
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != HEADER:
        raise NotNotebookError(f"line 1: expected '{HEADER}'; only source notebooks of Python and .ipynb files can be run")
    found: list[Cell] = []
    for number, (begins, whole) in enumerate(_parts(lines), start=1):
        title = next((match["title"] for line in whole if (match := _TITLE.match(line))), "")
        first, part = _without_edges(begins, ["" if _TITLE.match(line) else line for line in whole])
        if not part:
            continue
        if all(_MAGIC.match(line) or not line.strip() for line in part):
            found.append(_magic([_MAGIC.sub("", line, count=1) for line in part], number, first, title))
        else:
            found.append(Cell("python", "\n".join(part), number, first, title))
    return found


def _parts(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the lines between separators, each with the number of its first; the header belongs to none."""
    parts: list[tuple[int, list[str]]] = [(2, [])]
    for number, line in enumerate(lines[1:], start=2):
        if line.rstrip() == _SEPARATOR:
            parts.append((number + 1, []))
        else:
            parts[-1][1].append(line)
    return parts


def _without_edges(first: int, lines: Sequence[str]) -> tuple[int, list[str]]:
    kept = [place for place, line in enumerate(lines) if line.strip()]
    return (first + kept[0], list(lines[kept[0] : kept[-1] + 1])) if kept else (first, [])


def _of_json(text: str) -> list[Cell]:
    try:
        document = json.loads(text)
        listed = document["cells"]
        language = LANGUAGES.get(str(document.get("metadata", {}).get("kernelspec", {}).get("language", "python")).lower(), "python")
        found = []
        for number, cell in enumerate(listed, start=1):
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                found.append(Cell("md", source, number))
            elif cell["cell_type"] == "code" and source.strip():
                lines = source.splitlines()
                found.append(_magic(lines, number, 1, "") if lines[0].startswith("%") else Cell(language, source, number))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotNotebookError(f"not a notebook of format 4 (.ipynb): {error!r}") from error
    return found


def _magic(lines: Sequence[str], number: int, first: int, title: str) -> Cell:
    """Return a cell whose first line may name its kind; else it is Python."""
    text = "\n".join(lines)
    named = _NAME.fullmatch(text)
    if named is None or named["name"] not in WHOLE:
        return Cell("python", text, number, first, title)
    return Cell(named["name"], named["rest"], number, first, title)
