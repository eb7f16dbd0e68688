"""Laws of resolution, over bundles that nobody would write."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bundle import Bundle, Choice, Identity, Source, resolve
from harness.bundle.nodes import Json, Position, node
from harness.bundle.yaml_text import dump, parse

ANN = Identity("ann@example.com", "http://127.0.0.1:1")
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), _TEXT)
_VALUES: st.SearchStrategy[Json] = st.recursive(
    _SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_TEXT, inner, max_size=3)), max_leaves=8
)
_KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
_SAFE = st.text(st.sampled_from("abc {}$'\"#:-.1é\n"), max_size=10)
_NAMES = ("one", "two", "three")
_TARGETS: tuple[Json, ...] = ({}, {"mode": "development"}, {"variables": {"three": "3"}}, {"presets": {"name_prefix": "p_"}})


def _resolve(text: str) -> Bundle:
    return resolve([Source("databricks.yml", text)], choice=Choice(), identity=ANN)


@st.composite
def bundles(draw: st.DrawFn) -> str:
    """A bundle with variables that refer to those before them, targets, and resources of each kind."""
    variables: dict[str, Json] = {}
    pieces = ["${bundle.name}", "${bundle.target}", "${workspace.current_user.short_name}", "{{job.id}}"]
    for name in _NAMES:
        parts = draw(st.lists(st.one_of(st.sampled_from(pieces), _SAFE.filter(lambda text: "${" not in text)), min_size=1, max_size=3))
        variables[name] = {"default": "".join(parts) or "x"}
        pieces.append(f"${{var.{name}}}")
    text = st.lists(
        st.sampled_from([*pieces, "a", "-", "${resources.jobs.j.name}", "${resources.jobs.last.id}"]), min_size=1, max_size=3
    ).map("".join)
    tasks: list[Json] = [
        {"task_key": key, "timeout_seconds": draw(st.integers(0, 9)), "notebook_task": {"notebook_path": draw(text)}}
        for key in draw(st.lists(_KEYS, min_size=1, max_size=3, unique=True))
    ]
    artifact: dict[str, Json] = {"type": "whl", "path": draw(st.sampled_from([".", "./x", "../y", "x/../z"]))}
    document: dict[str, Json] = {
        "bundle": {"name": "b"},
        "variables": variables,
        "artifacts": {"a": artifact},
        "resources": {
            "jobs": {
                "j": {"name": draw(st.sampled_from(pieces)), "tasks": tasks},
                "k": {"description": draw(text), "tasks": tasks[:1]},
                "last": {"tasks": [{"task_key": "t", "notebook_task": {"notebook_path": "n"}}]},
            },
            "schemas": {"s": {"name": "s", "catalog_name": "${var.one}", "comment": draw(text)}},
            "experiments": {"e": {"name": "/Users/${var.two}/e"}},
        },
        "targets": {"t": draw(st.sampled_from(_TARGETS))},
    }
    return dump(document)


@settings(max_examples=40)
@given(bundles())
def test_resolving_a_resolved_bundle_changes_nothing(text: str) -> None:
    """A resolved bundle, written out and read again, is the same bundle."""
    once = _resolve(text)

    assert _resolve(once.as_yaml()) == once


@settings(max_examples=60)
@given(st.dictionaries(_TEXT, _VALUES, max_size=4))
def test_yaml_written_is_yaml_read(value: dict[str, Json]) -> None:
    """Every value that JSON knows survives being written as YAML."""
    assert parse(dump(value), "x.yml").plain() == value


@given(_VALUES)
def test_tree_of_plain_values_gives_them_back(value: Json) -> None:
    """Positions add nothing to values."""
    assert node(value, Position("x", 1, 1)).plain() == value
