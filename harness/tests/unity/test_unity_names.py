"""Names as clients may send them: each is refused in the platform's words, or found again; none leaves the state folder."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.config import Layout

Inside = tuple[Callable[..., httpx.Response], Layout]

_TRICKS = [
    "..",
    "../x",
    "..%2fx",
    "%2e%2e",
    ".",
    "a/b",
    "a\\b",
    "a\0b",
    "a.",
    "a ",
    " a",
    "a\tb",
    "'; DROP",
    "a`b",
    '"a"',
    "é",
    "Σ",
    "İ",
    "x" * 256,
]
names = st.one_of(
    st.sampled_from(_TRICKS),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.text("aZ_-1ß ./`", max_size=8),
    st.text("🚕", min_size=60, max_size=70),
    st.text("x", min_size=250, max_size=300),
)


def _everything(layout: Layout) -> set[Path]:
    """What lies beside the state folder, and what lies in it but not where names may lead."""
    inside = (layout.warehouse, layout.files / "Volumes")
    return {path for path in layout.state.parent.rglob("*") if not any(path.is_relative_to(each) for each in inside)}


@pytest.mark.property
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=names)
@pytest.mark.parametrize("kind", ["catalogs", "schemas", "volumes"])
def test_every_name_is_refused_or_found_again(inside: Inside, kind: str, name: str) -> None:
    ask, layout = inside
    before = _everything(layout)
    place = {"catalogs": {}, "schemas": {"catalog_name": "main"}, "volumes": {"catalog_name": "main", "schema_name": "default"}}[kind]
    holder = {"catalogs": "", "schemas": "main.", "volumes": "main.default."}[kind]

    made = ask("POST", f"/{kind}", content=json.dumps({"name": name, "volume_type": "MANAGED", **place}))

    if made.status_code == 200:
        one = f"/{kind}/{quote(holder + name, safe='')}"
        assert made.json()["name"] == name.lower()
        assert ask("GET", one).json() == made.json()
        assert made.json() in ask("GET", f"/{kind}", params=place).json()[kind]
        assert ask("DELETE", one, params={"force": "true"}).status_code == 200
        assert ask("GET", one).status_code == 404
    else:
        refused = (made.status_code, made.json()["error_code"])
        exists = {"catalogs": (400, "CATALOG_ALREADY_EXISTS"), "schemas": (400, "SCHEMA_ALREADY_EXISTS")}.get(kind)
        assert refused in {(400, "INVALID_PARAMETER_VALUE"), exists}
        listed = ask("GET", f"/{kind}", params=place).json()[kind]
        assert {each["name"] for each in listed} <= {"main", "samples", "system", "default", "information_schema"}
    assert _everything(layout) == before


@pytest.mark.property
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=names,
    kind=st.sampled_from(["catalogs", "schemas", "tables", "volumes", "constraints"]),
    method=st.sampled_from(["GET", "PATCH", "DELETE"]),
)
def test_no_name_in_a_path_is_more_than_a_name(inside: Inside, kind: str, name: str, method: str) -> None:
    ask, layout = inside
    before = _everything(layout)

    answer = ask(method, f"/{kind}/{quote(name, safe='')}", params={"constraint_name": "k"}, content=b'{"owner": "ann"}')

    assert answer.status_code in {400, 404, 501}, answer.text
    assert _everything(layout) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param("schemas/main.a%2Fb", "an encoded slash cannot be part of a name", id="encoded slash"),
        pytest.param("schemas/main.%2e%2e", "'main...' is not a valid schema name", id="encoded dots"),
        pytest.param("schemas/main", "'main' is not a valid schema name; expected catalog_name.schema_name", id="one level"),
        pytest.param("tables/main.default", "expected catalog_name.schema_name.table_name", id="two levels"),
        pytest.param("volumes/main.default.a%00b", "volume name 'a\\x00b' is not valid", id="NUL"),
        pytest.param("catalogs/" + "x" * 300, "catalog name 'xxx", id="too long"),
    ],
)
def test_name_that_cannot_be_is_named_in_the_refusal(inside: Inside, path: str, message: str) -> None:
    answer = inside[0]("GET", f"/{path}")

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert message in answer.json()["message"]


@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        pytest.param("catalogs", {"name": ["a"]}, "$.name", id="list for a name"),
        pytest.param("catalogs", {}, "name", id="no name"),
        pytest.param("schemas", {"name": "a"}, "catalog_name", id="no catalog"),
        pytest.param("schemas", {"name": "a", "catalog_name": "main", "properties": "x"}, "$.properties", id="text for properties"),
        pytest.param("volumes", {"name": "a", "catalog_name": "main", "schema_name": 1.5}, "$.schema_name", id="number for a schema"),
        pytest.param("constraints", {"full_name_arg": "main.default.t", "constraint": []}, "$.constraint", id="list for a constraint"),
    ],
)
def test_body_of_other_types_is_refused_with_its_field(inside: Inside, kind: str, body: object, field: str) -> None:
    answer = inside[0]("POST", f"/{kind}", json=body)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert field in answer.json()["message"]


def test_names_differ_by_more_than_their_case(inside: Inside) -> None:
    ask = inside[0]
    made = ask("POST", "/schemas", json={"name": "MiXed", "catalog_name": "MAIN"}).json()

    again = ask("POST", "/schemas", json={"name": "mixed", "catalog_name": "main"})

    assert (made["full_name"], again.json()["error_code"]) == ("main.mixed", "SCHEMA_ALREADY_EXISTS")
    assert ask("GET", "/schemas/Main.`MIXED`").json() == made
    ask("DELETE", "/schemas/main.mixed")


@pytest.mark.parametrize("kind", ["catalogs", "schemas", "volumes", "tables"])
@pytest.mark.parametrize("query", [{"max_results": "-1"}, {"max_results": "many"}, {"page_token": "%%%"}, {"page_token": "é"}])
def test_page_that_cannot_be_is_refused(inside: Inside, kind: str, query: dict[str, str]) -> None:
    place = {"catalog_name": "main", "schema_name": "default"}

    answer = inside[0]("GET", f"/{kind}", params=place | query)

    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert next(iter(query)) in answer.json()["message"]
