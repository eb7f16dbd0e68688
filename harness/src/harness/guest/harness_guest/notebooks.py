"""A notebook as a task: its cells in one namespace, in order, until its end or `dbutils.notebook.exit`."""

from collections.abc import Mapping
from pathlib import Path

from harness_guest.notebook_cells import Cell, cells


def run_notebook(path: str, file: str, _parameters: Mapping[str, str]) -> str | None:
    """Run the notebook in `file` and return what it exits with."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for cell in cells(Path(file).read_text()):
        _run(cell, path, namespace)
    return None


def _run(cell: Cell, path: str, namespace: dict[str, object]) -> None:
    if cell.kind == "md":
        return
    if cell.kind != "python":
        raise NotImplementedError(f"{path}, cell {cell.number}: %{cell.kind} is not emulated")
    exec(compile("\n" * (cell.line - 1) + cell.source, path, "exec"), namespace)  # noqa: S102 - running it is the task
