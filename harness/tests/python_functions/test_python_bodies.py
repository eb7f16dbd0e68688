"""Bodies of functions in Python: from their text to what can be called."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.python_functions.body import BodyError, Calls, Told, function

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\\'\r", exclude_categories=["Cc", "Zl", "Zp"]))).map("\n".join)


def told(body: str, *parameters: str, handler: str = "") -> Told:
    return Told("main.s.f", parameters, "STRING", body, handler)


@given(text=LINES, indent=st.sampled_from(["", " ", "    ", "\t"]))
def test_a_text_in_a_body_keeps_its_lines(text: str, indent: str) -> None:
    """However the body is indented, and the lines of the text are."""
    body = f"\n{indent}# {len(text)}\n{indent}def inner():\n{indent}  return '''{text}'''\n{indent}return inner() + x\n"

    assert function(told(body, "x"))("!") == f"{text}!"


@given(value=st.one_of(st.none(), st.integers(), st.text()))
def test_what_travels_to_a_worker_is_compiled_there(value: object) -> None:
    calls = Calls(told("import math\ndef main(v):\n    return [v, math.tau]", "v", handler="main"))
    first = calls(value)

    assert pickle.loads(pickle.dumps(calls))(value) == first  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("body", "handler", "message"),
    [
        pytest.param("return (", "", r"'\(' was never closed \(line 1 of the body\)", id="no Python"),
        pytest.param("\n  y = 1\n  return )", "", r"\(line 3 of the body\)", id="in an indented line"),
        pytest.param("def other(): pass", "main", "no function 'main'", id="no handler"),
        pytest.param("  main = 1", "main", "no function 'main'", id="a handler that is none"),
    ],
)
def test_a_wrong_body_is_refused(body: str, handler: str, message: str) -> None:
    with pytest.raises(BodyError, match=message):
        function(told(body, handler=handler))


def test_an_empty_body_answers_nothing() -> None:
    assert function(told("  # nothing\n", "x"))(1) is None


def test_a_parameter_must_be_a_name_in_python() -> None:
    with pytest.raises(BodyError, match="invalid syntax"):
        function(told("return 1", "a b"))
