"""The body of a function, from its text to what can be called. Pure, and of no package: workers are of the task that asks."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any


class BodyError(Exception):
    """A body that is not Python, or has not what it says."""


@dataclass(frozen=True, slots=True)
class Told:
    """A function as SQL has declared it; `returns` is the DDL of its type."""

    name: str
    parameters: tuple[str, ...]
    returns: str
    body: str
    handler: str = ""
    deterministic: bool = True


def function(told: Told) -> Callable[..., Any]:
    """Return what the body says, or raise `BodyError`.

    >>> function(Told("main.s.half", ("x",), "INT", "return x // 2"))(7)
    3
    """
    namespace: dict[str, Any] = {}
    try:
        exec(compile(_tree(told), f"<{told.name}>", "exec"), namespace)  # noqa: S102 - that is what the user has made it for
    except SyntaxError as error:
        raise BodyError(f"{error.msg} (line {error.lineno} of the body)") from error
    name = told.handler or "body"
    if not callable(namespace.get(name)):
        raise BodyError(f"the body defines no function '{name}', which HANDLER names")
    found: Callable[..., Any] = namespace[name]
    return found


def _tree(told: Told) -> ast.Module:
    if told.handler:
        return ast.Module(body=list(_statements(told.body)), type_ignores=[])
    module = ast.parse(f"def body({', '.join(told.parameters)}): pass")
    defined = module.body[0]
    assert isinstance(defined, ast.FunctionDef)  # noqa: S101 - it stands there
    statements = _statements(told.body)
    defined.body = list(statements) or defined.body  # Assumption: an empty body returns NULL
    return module


def _statements(body: str) -> Sequence[ast.stmt]:
    """Return the statements of a body, which may be indented as a whole; texts in it keep their lines as they are."""
    first = next((line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if not first[:1].isspace():
        return ast.parse(body).body
    try:
        block = ast.parse(f"if True:\n{body}").body[0]
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) - 1
        raise
    assert isinstance(block, ast.If)  # noqa: S101 - it stands there
    ast.increment_lineno(block, -1)
    return block.body


class Calls:
    """What a worker calls for each row: it travels as a text, and is compiled where it is called."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def __call__(self, *values: Any) -> Any:
        """Call the body."""
        return self._function(*values)

    def __reduce__(self) -> tuple[type["Calls"], tuple[Told]]:
        """Return how to make it again, without what it has compiled."""
        return Calls, (self._told,)

    @cached_property
    def _function(self) -> Callable[..., Any]:
        return function(self._told)
