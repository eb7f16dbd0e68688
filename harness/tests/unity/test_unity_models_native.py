"""The registry's newer dialect over plain HTTP: the same store, its own shapes, and names that cannot be."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import FakeClock
from harness.config import USER_NAME, Layout
from harness.errors import ApiError
from harness.ids import SeededIds
from harness.state import Store
from harness.unity.registry_model import ModelVersion
from harness.unity.service import UnityService

BASE = "/api/2.1/unity-catalog"
LEGACY = "/api/2.0/mlflow/unity-catalog"


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


@pytest.fixture
def make_model(http: httpx.Client, service: UnityService) -> Callable[..., str]:
    """Make a model with finalized versions and return its full name."""

    def make(name: str, versions: int = 0, **told: Any) -> str:
        within = {"catalog_name": "main", "schema_name": "default"}
        assert http.post(f"{BASE}/models", json={"name": name, **within, **told}).status_code == 200
        for _ in range(versions):
            made = http.post(f"{BASE}/models/versions", json={"model_name": name, **within, "source": "dbfs:/x", "run_id": "r1"}).json()
            (service.registry.files(f"main.default.{name}", str(made["version"])) / "MLmodel").write_text("flavors: {}")
            assert http.patch(f"{BASE}/models/main.default.{name}/versions/{made['version']}/finalize").json()["status"] == "READY"
        return f"main.default.{name}"

    return make


def test_version_is_made_filled_and_finalized(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_life", tags=[{"key": "team", "value": "ml"}])

    asked = {"model_name": "native_life", "catalog_name": "main", "schema_name": "default", "comment": "first", "model_id": "m-1"}
    made = http.post(f"{BASE}/models/versions", json={**asked, "run_tracking_server_id": "42", "tags": [{"key": "k", "value": "v"}]}).json()
    assert (made["version"], made["status"], made["storage_location"]) == (1, "PENDING_REGISTRATION", "/Models/main/default/native_life/1")
    assert (made["comment"], made["model_id"], made["run_workspace_id"], made["tags"]) == ("first", "m-1", 42, [{"key": "k", "value": "v"}])
    assert error(http.patch(f"{BASE}/models/{name}/versions/1/finalize", json={})) == (400, "INVALID_PARAMETER_VALUE")
    asked = {
        "model_name": "native_life",
        "catalog_name": "main",
        "schema_name": "default",
        "version": "1",
        "operation": "READ_WRITE_MODEL_VERSION",
    }
    assert http.post(f"{BASE}/temporary-model-version-credentials", json=asked).json()["storage_mode"] == "DEFAULT_STORAGE"
    asked["version"] = "2"
    assert error(http.post(f"{BASE}/temporary-model-version-credentials", json=asked)) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_both_dialects_show_one_model(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_shared", versions=2, comment="shared", tags=[{"key": "team", "value": "ml"}])
    http.put(f"{BASE}/models/{name}/aliases/Champion", json={"version_num": 2})

    legacy = http.get(f"{LEGACY}/registered-models/get", params={"name": name}).json()["registered_model"]
    native = http.get(f"{BASE}/models/{name}", params={"include_aliases": "true"}).json()

    assert (legacy["description"], native["comment"]) == ("shared", "shared")
    assert (legacy["tags"], native["tags"]) == ([{"key": "team", "value": "ml"}],) * 2
    assert legacy["aliases"] == [{"alias": "Champion", "version": "2"}]
    assert native["aliases"] == [{"alias_name": "Champion", "version_num": 2}]


def test_lists_carry_neither_tags_nor_aliases_and_aliases_come_when_asked_for(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_listed", versions=1, tags=[{"key": "team", "value": "ml"}])
    http.put(f"{BASE}/models/{name}/aliases/Champion", json={"version_num": 1})

    listed = http.get(f"{BASE}/models/{name}/versions").json()["model_versions"]
    models = http.get(f"{BASE}/models", params={"catalog_name": "main", "schema_name": "default"}).json()["registered_models"]

    assert all({"tags", "aliases"}.isdisjoint(each) for each in [*listed, *models])
    assert "aliases" not in http.get(f"{BASE}/models/{name}/versions/1").json()
    assert http.get(f"{BASE}/models/{name}/versions/1", params={"include_aliases": "true"}).json()["aliases"][0]["alias_name"] == "Champion"


def test_tags_change_together(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_tagged", versions=1, tags=[{"key": "old", "value": "1"}])
    changes = {"changes": {"add_tags": [{"key": "new", "value": "2"}], "remove": ["old", "never there"]}}

    assert http.patch(f"{BASE}/securable-tags/FUNCTION/{name}", json=changes).json() == {}
    assert http.patch(f"{BASE}/subentity-tags/FUNCTION/{name}/1", json=changes).json() == {}

    assert http.get(f"{BASE}/models/{name}").json()["tags"] == [{"key": "new", "value": "2"}]
    assert http.get(f"{BASE}/models/{name}/versions/1").json()["tags"] == [{"key": "new", "value": "2"}]
    both = {"changes": {"add_tags": [{"key": "new", "value": "3"}], "remove": ["new"]}}
    assert error(http.patch(f"{BASE}/securable-tags/FUNCTION/{name}", json=both)) == (400, "INVALID_PARAMETER_VALUE")
    assert error(http.patch(f"{BASE}/securable-tags/TABLE/main.default.t", json=changes)) == (501, "NOT_IMPLEMENTED")
    assert error(http.patch(f"{BASE}/subentity-tags/FUNCTION/{name}/2", json=changes)) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_pages_hold_what_was_asked_for(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_paged", versions=3)
    versions, token = [], ""
    while True:
        answer = http.get(f"{BASE}/models/{name}/versions", params={"max_results": "2", "page_token": token}).json()
        versions.append([each["version"] for each in answer["model_versions"]])
        token = answer.get("next_page_token", "")
        if not token:
            break

    assert versions == [[3, 2], [1]]
    for asked in ({"max_results": "-1"}, {"max_results": "x"}, {"max_results": "9" * 5000}, {"page_token": "?"}):
        assert error(http.get(f"{BASE}/models/{name}/versions", params=asked)) == (400, "INVALID_PARAMETER_VALUE")
    assert error(http.get(f"{BASE}/models", params={"catalog_name": "main"})) == (400, "INVALID_PARAMETER_VALUE")


def test_change_without_a_comment_keeps_it(http: httpx.Client, make_model: Callable[..., str]) -> None:
    name = make_model("native_kept", versions=1, comment="kept")

    assert http.patch(f"{BASE}/models/{name}", json={}).json()["comment"] == "kept"
    assert http.patch(f"{LEGACY}/registered-models/update", json={"name": name}).json()["registered_model"]["description"] == "kept"
    assert http.patch(f"{BASE}/models/{name}", json={"comment": ""}).json()["comment"] == ""
    assert error(http.patch(f"{BASE}/models/{name}", json={"owner": ""})) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("version", ["0", "x", "-1", "1.0", "9" * 5000, "١"])
def test_version_that_cannot_be_is_refused(http: httpx.Client, make_model: Callable[..., str], version: str) -> None:
    name = make_model(f"native_odd_{len(http.get(f'{BASE}/models').json()['registered_models'])}", versions=1)

    answer = http.get(f"{LEGACY}/model-versions/get", params={"name": name, "version": version})

    assert error(answer) == ((404, "RESOURCE_DOES_NOT_EXIST") if version == "0" else (400, "INVALID_PARAMETER_VALUE"))


NAMES = [
    pytest.param("", id="empty"),
    pytest.param(".", id="dot"),
    pytest.param("..", id="parent"),
    pytest.param("a.b", id="inner dot"),
    pytest.param("a/b", id="slash"),
    pytest.param("..%2f..%2fx", id="encoded slashes"),
    pytest.param("a\\b", id="backslash"),
    pytest.param("a b", id="space"),
    pytest.param("a\x00b", id="nul"),
    pytest.param("a\u2028b", id="line separator"),
    pytest.param("x" * 256, id="256 characters"),
    pytest.param("ü" * 200, id="400 bytes"),
]


@pytest.mark.parametrize("name", NAMES)
def test_name_that_cannot_be_makes_nothing(http: httpx.Client, layout: Layout, name: str) -> None:
    def there() -> list[str]:
        models = http.get(f"{BASE}/models", params={"max_results": "1000"}).json()["registered_models"]
        return [*(each["full_name"] for each in models), *(str(path) for path in layout.state.rglob("*") if "state.db" not in path.name)]

    before, asked = there(), {"catalog_name": "main", "schema_name": "default"}
    if "%" in name:  # a name like any other in a body; in an address it is two names
        assert error(http.get(f"{BASE}/models/{name}")) == (400, "INVALID_PARAMETER_VALUE")
        return
    assert error(http.post(f"{BASE}/models", json={"name": name, **asked})) == (400, "INVALID_PARAMETER_VALUE")
    assert error(http.post(f"{LEGACY}/registered-models/create", json={"name": f"main.default.{name}"})) == (400, "INVALID_PARAMETER_VALUE")
    versions = {"model_name": name, **asked, "source": "dbfs:/x"}
    assert error(http.post(f"{BASE}/models/versions", json=versions)) == (400, "INVALID_PARAMETER_VALUE")
    assert there() == before


def test_surrogate_in_a_name_is_refused(http: httpx.Client) -> None:
    answer = http.post(f"{LEGACY}/registered-models/create", content=b'{"name": "main.default.a\\ud800"}')

    assert answer.status_code == 400


@pytest.fixture(scope="module")
def registry_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnityService]:
    layout = Layout(tmp_path_factory.mktemp("names") / "state").make()
    store = Store(layout.database)
    clock = FakeClock(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    yield UnityService(layout=layout, clock=clock, ids=SeededIds(), store=store, user=USER_NAME)
    store.close()


@pytest.mark.property
@settings(deadline=None)
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=[]), max_size=300),
        st.text("aB.`/\\ %é\x00", max_size=8),
        st.sampled_from(["..", "../x", "a" * 255]),
    )
)
def test_any_name_is_refused_with_400_or_kept_as_it_is(registry_service: UnityService, name: str) -> None:
    """A model is made under the name asked for, in lower case, below its folder, or nothing is made."""
    registry = registry_service.registry
    before = {each.name for each in registry.models()}
    made, refused = None, ""
    try:
        made = registry.create(f"main.default.{name}", user=USER_NAME)
    except ApiError as error:
        refused = error.error_code
    if made is None:
        assert (refused, {each.name for each in registry.models()}) == ("INVALID_PARAMETER_VALUE", before)
        return
    plain = name[1:-1] if name[:1] == name[-1:] == "`" else name
    assert made.name == f"main.default.{plain.lower()}"
    version = registry.create_version(ModelVersion.asked(made.name, user=USER_NAME, tags={}))
    folder = registry.files(made.name, version.version)
    assert [each.name for each in folder.parents][:3] == [plain.lower(), "default", "main"]
    registry.delete(made.name)
    assert {each.name for each in registry.models()} == before
    assert not folder.exists()
