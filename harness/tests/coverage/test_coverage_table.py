"""What the coverage table says of a route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.coverage.client import ClientRoute, client_routes
from harness.coverage.table import Answering, table
from harness.coverage.touched import Touched, fields, merged, read
from harness.http import Answered

DOC = "https://docs/things"
GET = Answering("GET", "/api/things/{name}", DOC)
CLIENT = [
    ClientRoute("things.get", "GET", "/api/things/{}", ("name", "owner")),
    ClientRoute("things.delete", "DELETE", "/api/things/{}", ()),
]


def touched(body: bytes, *tests: str, status: int = 200) -> Touched:
    found = Touched()
    for test in tests:
        found.add(Answered("GET", "/api/things/a", "/api/things/{name}", status, body), test)
    return found


@pytest.mark.parametrize(
    ("runs", "state", "tests"),
    [
        pytest.param(Touched(), "not run", "", id="never called"),
        pytest.param(touched(b'{"name":"a","owner":"b"}', "harness/tests/test_a.py"), "full", "`test_a.py`", id="every field seen"),
        pytest.param(touched(b'{"name":"a","owner":null}', "t.py"), "partial, without `owner`", "`t.py`", id="null is not seen"),
        pytest.param(touched(b"{}", "t.py", status=404), "not run", "", id="refused"),
        pytest.param(
            touched(b"[1]", "harness/tests/c.py", "integration/tests/b.py", "integration/clients/a.py"),
            "partial, without `name`, `owner`",
            "`a.py`, `b.py` +1",
            id="clients' scripts first",
        ),
    ],
)
def test_a_row_tells_what_runs_saw(runs: Touched, state: str, tests: str) -> None:
    assert f"| GET | `/api/things/{{name}}` | {state} | {tests} | {DOC} |\n" in table([GET], runs, CLIENT)


def test_what_the_client_calls_and_nobody_answers_is_listed() -> None:
    assert table([GET], Touched(), CLIENT).endswith("| things | delete |\n")


def test_the_clients_own_source_tells_its_routes() -> None:
    """Of a list, the fields of its elements; none of an answer that the client does not read."""
    known = {route.name: route for route in client_routes()}
    assert known["tables.exists"] == ClientRoute("tables.exists", "GET", "/api/2.1/unity-catalog/tables/{}/exists", ("table_exists",))
    assert "schemas[].full_name" in known["schemas.list"].fields
    assert known["tables.delete"].fields == ()


@given(calls=st.lists(st.tuples(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers()))))
def test_several_processes_together_know_what_one_would(
    calls: list[tuple[str, dict[str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    whole, halves = Touched(), (Touched(), Touched())
    for number, (route, answer) in enumerate(calls):
        answered = Answered("GET", route, route, 200, str(answer).replace("'", '"').encode())
        whole.add(answered, "test")
        halves[number % 2].add(answered, "test")
    for name, each in zip(("whole", "gw0", "gw1"), (whole, *halves), strict=True):
        each.write(folder / f"{name}.json")

    assert merged([folder / "gw0.json", folder / "gw1.json"]).by_route == read(folder / "whole.json").by_route == whole.by_route


def test_fields_go_one_level_into_lists() -> None:
    assert sorted(fields({"a": 1, "b": [{"c": {"d": 1}}, {"e": None}], "f": None})) == ["a", "b", "b[].c"]
