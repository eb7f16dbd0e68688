"""Notebooks in their two formats, source text and Jupyter's JSON, and one made of the other. Pure.

Source format: docs.databricks.com/notebooks/notebook-export-import; Jupyter's: nbformat.readthedocs.io, format 4.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.errors import ApiError

Language = Literal["PYTHON", "SQL", "SCALA", "R"]

COMMENTS: dict[Language, str] = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
EXTENSIONS: dict[Language, str] = {"PYTHON": ".py", "SQL": ".sql", "SCALA": ".scala", "R": ".r"}
HEADER = "Databricks notebook source"
_SEPARATOR = "COMMAND ----------"
_MAGIC = "MAGIC"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a notebook, its text as a notebook's reader sees it: a magic stands in the first line."""

    kind: Literal["code", "markdown"]
    source: str


def to_source(content: bytes) -> bytes:
    """Return a Jupyter notebook as source text in Python."""
    comment = COMMENTS["PYTHON"]
    texts = [_written(cell, comment) for cell in _jupyter_cells(content)]
    between = f"\n\n{comment} {_SEPARATOR}\n\n"
    return f"{comment} {HEADER}\n{between.join(texts)}\n".encode()


def to_jupyter(content: bytes, language: Language) -> bytes:
    """Return source text as a Jupyter notebook (its outputs are not in it)."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise _unfit("the notebook is not UTF-8 text") from error
    cells = [_document(cell) for cell in source_cells(text, language)]
    spoken = {"name": language.lower()}
    document = {"cells": cells, "metadata": {"language_info": spoken}, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def source_cells(text: str, language: Language) -> list[Cell]:
    """Return the cells of source text."""
    comment = COMMENTS[language]
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and lines[0].rstrip() == f"{comment} {HEADER}":
        lines = lines[1:]
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.rstrip() == f"{comment} {_SEPARATOR}":
            parts.append([])
        else:
            parts[-1].append(line)
    return [_read("\n".join(part).strip("\n"), comment) for part in parts]


def language_of(content: bytes) -> Language:
    """Return the language of a Jupyter notebook, which the platform always calls Python, or raise the platform's 400 when it is none."""
    _jupyter_cells(content)
    return "PYTHON"


def _read(text: str, comment: str) -> Cell:
    magic = f"{comment} {_MAGIC}"
    lines = text.split("\n")
    if not text or not all(line.startswith(magic) for line in lines):
        return Cell("code", text)
    plain = [line.removeprefix(magic).removeprefix(" ") for line in lines]
    name, _, rest = plain[0].partition(" ")
    if name == "%md":
        return Cell("markdown", "\n".join([rest, *plain[1:]] if rest else plain[1:]))
    return Cell("code", "\n".join(plain))


def _written(cell: Cell, comment: str) -> str:
    lines = cell.source.split("\n")
    if cell.kind == "markdown":
        lines = ["%md", *lines]
    elif not cell.source.startswith("%"):
        return cell.source
    return "\n".join(f"{comment} {_MAGIC} {line}" if line else f"{comment} {_MAGIC}" for line in lines)


def _document(cell: Cell) -> dict[str, object]:
    common: dict[str, object] = {"cell_type": cell.kind, "metadata": {}, "source": cell.source.splitlines(keepends=True)}
    return common if cell.kind == "markdown" else {**common, "execution_count": None, "outputs": []}


def _jupyter_cells(content: bytes) -> Sequence[Cell]:
    try:
        document = json.loads(content)
        found = []
        for cell in document["cells"]:
            source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
            found.append(Cell("markdown" if cell["cell_type"] == "markdown" else "code", source))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unfit(f"not a Jupyter notebook of format 4: {error!r}") from error
    return found


def _unfit(why: str) -> ApiError:
    # Assumption: the wording; docs.databricks.com/api/workspace/workspace/import names the code for formats that do not fit contents.
    return ApiError(400, "INVALID_PARAMETER_VALUE", f"The notebook cannot be read: {why}")
