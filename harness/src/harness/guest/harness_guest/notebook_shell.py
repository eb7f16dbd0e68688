"""The IPython shell that runs the cells of notebooks: last expressions shown, `await` and `!command` understood, errors passed on."""

import os
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any


class Shell:
    """One namespace, and the cells run in it."""

    def __init__(self, shell: Any, names: Mapping[str, object]) -> None:
        self._shell = shell
        self._first = dict(names)
        self.reset()

    @property
    def names(self) -> MutableMapping[str, Any]:
        """What the cells have defined, and what they find."""
        return self._shell.user_ns  # type: ignore[no-any-return]  # IPython is not read by mypy

    def run(self, source: str, name: str) -> None:
        """Run a cell; whatever it raises is raised here, with `name` as its file in the traceback."""
        self._shell.compile.name = name
        result = self._shell.run_cell(source, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise error

    def reset(self) -> None:
        """Forget what the cells have defined."""
        self._shell.reset(new_session=False)
        self._shell.user_ns.update(self._first, open=open)  # IPython has one of its own, which does not know /Volumes


def _as_written(act: Callable[[str], None]) -> Callable[[str], None]:
    """Return a magic that gets its line as it stands: `$x="y"` is a widget's value to %run, no variable of the notebook."""

    def magic(line: str) -> None:
        act(line)

    magic._ipython_magic_no_var_expand = True  # type: ignore[attr-defined]  # noqa: SLF001 - IPython's name for it
    return magic


def make_shell(names: Mapping[str, object], magics: Mapping[str, Callable[[str], None]]) -> Shell:
    """Return a shell whose cells find `names` and, as lines that begin with `%`, `magics`."""
    os.environ.setdefault("IPYTHONDIR", str(Path.cwd() / ".ipython"))
    from IPython.core.compilerop import CachingCompiler  # type: ignore[import-not-found]  # it is in the tasks' environment, not in ours
    from IPython.core.interactiveshell import InteractiveShell  # type: ignore[import-not-found]
    from traitlets.config import Config  # type: ignore[import-not-found]

    class Compiler(CachingCompiler):  # type: ignore[misc]  # IPython is not read by mypy
        """Names each cell as its notebook does."""

        name = "notebook"

        def get_code_name(self, _raw: str, _transformed: str, _number: int) -> str:
            """Return the file name of the cell in tracebacks."""
            return self.name

    class Quiet(InteractiveShell):  # type: ignore[misc]  # IPython is not read by mypy
        """Tells errors to its caller, not to the screen."""

        def showtraceback(self, *_: object, **__: object) -> None:
            """Leave it to the caller."""

        showsyntaxerror = showindentationerror = showtraceback

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "nocolor"
    shell = Quiet(config=settings)
    shell.compile = Compiler()
    for name, act in magics.items():
        shell.register_magic_function(_as_written(act), "line", name)
    return Shell(shell, names)
