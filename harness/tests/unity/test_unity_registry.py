"""The model registry over plain HTTP and the official client: rules that a client alone would not show."""

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceAlreadyExists, ResourceConflict

from harness.config import Layout
from harness.errors import ApiError
from harness.unity.registry_model import version_filter
from harness.unity.service import UnityService

BASE = "/api/2.0/mlflow/unity-catalog"


def create(http: httpx.Client, name: str) -> None:
    assert http.post(f"{BASE}/registered-models/create", json={"name": name}).status_code == 200


def add_version(http: httpx.Client, service: UnityService, name: str, *, final: bool = True) -> str:
    made = http.post(f"{BASE}/model-versions/create", json={"name": name, "source": "dbfs:/x", "run_id": "r1"}).json()["model_version"]
    if final:
        (service.registry.files(name, made["version"]) / "MLmodel").write_text("flavors: {}")
        assert http.post(f"{BASE}/model-versions/finalize", json={"name": name, "version": made["version"]}).status_code == 200
    return str(made["version"])


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("fares", (400, "INVALID_PARAMETER_VALUE"), id="one level"),
        pytest.param("default.fares", (400, "INVALID_PARAMETER_VALUE"), id="two levels"),
        pytest.param("main.nowhere.fares", (404, "SCHEMA_DOES_NOT_EXIST"), id="no schema"),
        pytest.param("nowhere.default.fares", (404, "CATALOG_DOES_NOT_EXIST"), id="no catalog"),
    ],
)
def test_model_that_cannot_be_is_refused(http: httpx.Client, name: str, expected: tuple[int, str]) -> None:
    assert error(http.post(f"{BASE}/registered-models/create", json={"name": name})) == expected


def test_second_model_of_a_name_is_refused(http: httpx.Client) -> None:
    create(http, "main.default.twice")

    answer = http.post(f"{BASE}/registered-models/create", json={"name": "Main.Default.TWICE"})

    assert error(answer) == (409, "RESOURCE_ALREADY_EXISTS")


def test_missing_model_and_version_are_not_found(http: httpx.Client) -> None:
    create(http, "main.default.empty")

    assert error(http.get(f"{BASE}/registered-models/get", params={"name": "main.default.none"})) == (404, "RESOURCE_DOES_NOT_EXIST")
    asked = {"name": "main.default.empty", "version": "1"}
    assert error(http.get(f"{BASE}/model-versions/get", params=asked)) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_number_of_a_deleted_version_never_comes_back(http: httpx.Client, service: UnityService) -> None:
    create(http, "main.default.counted")
    for _ in range(2):
        add_version(http, service, "main.default.counted")
    http.request("DELETE", f"{BASE}/model-versions/delete", json={"name": "main.default.counted", "version": "2"})

    assert add_version(http, service, "main.default.counted") == "3"


def test_version_is_pending_until_its_files_are_there(http: httpx.Client, service: UnityService) -> None:
    create(http, "main.default.slow")
    version = add_version(http, service, "main.default.slow", final=False)
    asked = {"name": "main.default.slow", "version": version}

    assert http.get(f"{BASE}/model-versions/get", params=asked).json()["model_version"]["status"] == "PENDING_REGISTRATION"
    assert error(http.post(f"{BASE}/model-versions/finalize", json=asked)) == (400, "INVALID_PARAMETER_VALUE")
    assert not service.model_version_exists("main.default.slow", version)
    with pytest.raises(ApiError, match="not READY"):
        service.model_files("main.default.slow", version)


def test_alias_moves_and_goes_with_its_version(http: httpx.Client, service: UnityService) -> None:
    name = "main.default.named"
    create(http, name)
    add_version(http, service, name)
    add_version(http, service, name)
    for version in ("1", "2"):
        http.post(f"{BASE}/registered-models/alias", json={"name": name, "alias": "Champion", "version": version})
    asked = {"name": name, "alias": "Champion"}
    found = http.get(f"{BASE}/registered-models/alias", params=asked).json()["model_version"]
    assert (found["version"], found["aliases"]) == ("2", [{"alias": "Champion", "version": "2"}])

    http.request("DELETE", f"{BASE}/model-versions/delete", json={"name": name, "version": "2"})

    assert error(http.get(f"{BASE}/registered-models/alias", params=asked)) == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize("alias", ["latest", "V1", "v20", "a/b", ""])
def test_reserved_alias_is_refused(http: httpx.Client, service: UnityService, layout: Layout, alias: str) -> None:
    if not service.registry.models("main", "reserved"):
        (layout.warehouse / "main/reserved").mkdir(exist_ok=True)
        create(http, "main.reserved.m")
        add_version(http, service, "main.reserved.m")

    answer = http.post(f"{BASE}/registered-models/alias", json={"name": "main.reserved.m", "alias": alias, "version": "1"})

    assert error(answer) == (400, "INVALID_PARAMETER_VALUE")


def test_tags_are_shown_by_get_and_not_by_search(http: httpx.Client, service: UnityService) -> None:
    name = "main.default.tagged"
    create(http, name)
    add_version(http, service, name)
    http.post(f"{BASE}/model-versions/set-tag", json={"name": name, "version": "1", "key": "validated", "value": "yes"})

    got = http.get(f"{BASE}/model-versions/get", params={"name": name, "version": "1"}).json()["model_version"]
    searched = http.get(f"{BASE}/model-versions/search", params={"filter": f"name='{name}'"}).json()["model_versions"]

    assert got["tags"] == [{"key": "validated", "value": "yes"}]
    assert [(each["version"], each["tags"]) for each in searched] == [("1", [])]


def test_search_goes_page_by_page_newest_first(http: httpx.Client, service: UnityService) -> None:
    name = "main.default.paged"
    create(http, name)
    for _ in range(3):
        add_version(http, service, name, final=False)
    asked = {"filter": f"name='{name}'", "max_results": "2"}

    first = http.get(f"{BASE}/model-versions/search", params=asked).json()
    second = http.get(f"{BASE}/model-versions/search", params={**asked, "page_token": first["next_page_token"]}).json()

    assert [each["version"] for each in (*first["model_versions"], *second["model_versions"])] == ["3", "2", "1"]
    assert "next_page_token" not in second


@pytest.mark.parametrize("text", ["name LIKE 'x'", "name = x", "color='red'", "name='a' or name='b'"])
def test_filter_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match="Unsupported filter"):
        version_filter(text)


def test_sdk_reads_the_same_models(http: httpx.Client, service: UnityService, client: WorkspaceClient) -> None:
    name = "main.default.shared"
    create(http, name)
    add_version(http, service, name)
    client.registered_models.set_alias(name, "Champion", 1)

    model = client.registered_models.get(name, include_aliases=True)
    assert [(alias.alias_name, alias.version_num) for alias in model.aliases or []] == [("Champion", 1)]
    assert client.model_versions.get_by_alias(name, "Champion").version == 1
    assert [version.version for version in client.model_versions.list(name)] == [1]
    assert name in {each.full_name for each in client.registered_models.list()}
    client.registered_models.delete_alias(name, "Champion")
    client.registered_models.delete(name)
    with pytest.raises(NotFound):
        client.registered_models.get(name)


def test_sdk_is_told_that_a_model_exists(client: WorkspaceClient) -> None:
    client.registered_models.create(name="from_sdk", catalog_name="main", schema_name="default")

    with pytest.raises((ResourceAlreadyExists, ResourceConflict)):
        client.registered_models.create(name="from_sdk", catalog_name="main", schema_name="default")
