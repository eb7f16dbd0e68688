"""A run notebook as `.ipynb`: its cells with what they printed, for whoever wants to look."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness_guest.notebook_cells import Cell

FILE = "notebook.ipynb"


class Record:
    """The cells so far. `folder` holds the `stdout` that the cells print to."""

    def __init__(self, folder: Path, cells: Sequence[dict[str, object]] = ()) -> None:
        self._folder = folder
        self.cells = list(cells)

    @contextmanager
    def cell(self, cell: Cell) -> Iterator[None]:
        """Keep a cell with what is printed, and raised, meanwhile."""
        begin = self._printed()
        outputs: list[dict[str, object]] = []
        kind = "markdown" if cell.kind == "md" else "code"
        source = cell.source if cell.kind in ("python", "md") else f"%{cell.kind} {cell.source}"
        kept: dict[str, object] = {"cell_type": kind, "metadata": {}, "source": source}
        self.cells.append(kept | ({"execution_count": len(self.cells) + 1, "outputs": outputs} if kind == "code" else {}))
        try:
            yield
        except Exception as error:
            outputs.append({"output_type": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": [repr(error)]})
            raise
        finally:
            text = self._text(begin)
            if text:
                outputs.insert(0, {"output_type": "stream", "name": "stdout", "text": text})

    def write(self) -> None:
        """Write the file."""
        notebook = {"cells": self.cells, "metadata": {"language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 4}
        (self._folder / FILE).write_text(json.dumps(notebook, indent=1))

    def _printed(self) -> int:
        sys.stdout.flush()
        path = self._folder / "stdout"
        return path.stat().st_size if path.exists() else 0

    def _text(self, begin: int) -> str:
        end = self._printed()
        if end <= begin:
            return ""
        with (self._folder / "stdout").open("rb") as file:
            file.seek(begin)
            return file.read(end - begin).decode(errors="replace")
