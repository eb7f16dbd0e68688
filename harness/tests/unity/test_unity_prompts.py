"""The prompt registry over plain HTTP: what mlflow's client alone would not show."""

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest

BASE = "/api/2.0/mlflow/unity-catalog/prompts"


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def make(http: httpx.Client, name: str, versions: int = 0) -> None:
    assert http.post(BASE, json={"name": name, "prompt": {"name": name, "description": "d"}}).status_code == 200
    for number in range(versions):
        made = http.post(f"{BASE}/{name}/versions", json={"name": name, "prompt_version": {"template": f'"{number}"'}}).json()
        assert made["version"] == str(number + 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("greeting", (400, "INVALID_PARAMETER_VALUE"), id="one level"),
        pytest.param("main.default.a/b", (400, "INVALID_PARAMETER_VALUE"), id="slash"),
        pytest.param("main.default...", (400, "INVALID_PARAMETER_VALUE"), id="dots"),
        pytest.param("main.nowhere.greeting", (404, "SCHEMA_DOES_NOT_EXIST"), id="no schema"),
    ],
)
def test_prompt_that_cannot_be_is_refused(http: httpx.Client, name: str, expected: tuple[int, str]) -> None:
    assert error(http.post(BASE, json={"name": name, "prompt": {}})) == expected


def test_second_prompt_of_a_name_is_refused(http: httpx.Client) -> None:
    make(http, "main.default.twice_said")

    assert error(http.post(BASE, json={"name": "Main.Default.Twice_Said", "prompt": {}})) == (409, "ALREADY_EXISTS")


def test_missing_prompts_versions_and_aliases_are_not_found(http: httpx.Client) -> None:
    make(http, "main.default.found", versions=1)

    for path in ("main.default.lost", "main.default.found/versions/2", "main.default.found/versions/by-alias/production"):
        assert error(http.get(f"{BASE}/{path}")) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert error(http.post(f"{BASE}/main.default.found/aliases/production", json={"version": "2"})) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert error(http.post(f"{BASE}/main.default.found/aliases/v1", json={"version": "1"})) == (400, "INVALID_PARAMETER_VALUE")


def test_number_of_a_deleted_version_never_comes_back_and_its_alias_goes(http: httpx.Client) -> None:
    name = "main.default.counted_prompt"
    make(http, name, versions=2)
    http.post(f"{BASE}/{name}/aliases/production", json={"version": "2"})

    http.delete(f"{BASE}/{name}/versions/2")

    assert http.post(f"{BASE}/{name}/versions", json={"prompt_version": {"template": '"x"'}}).json()["version"] == "3"
    assert http.get(f"{BASE}/{name}").json()["aliases"] == []


def test_prompt_with_versions_stays(http: httpx.Client) -> None:
    make(http, "main.default.kept_prompt", versions=1)

    assert error(http.delete(f"{BASE}/main.default.kept_prompt")) == (400, "INVALID_PARAMETER_VALUE")
    assert http.get(f"{BASE}/main.default.kept_prompt/versions/1").json()["template"] == '"0"'


def test_change_without_a_description_keeps_it(http: httpx.Client) -> None:
    name = "main.default.told_prompt"
    make(http, name, versions=1)

    assert http.patch(f"{BASE}/{name}", json={"prompt": {}}).json()["description"] == "d"
    assert http.patch(f"{BASE}/{name}", json={"prompt": {"description": "e"}}).json()["description"] == "e"
    assert http.patch(f"{BASE}/{name}/versions/1", json={"prompt_version": {"description": "f"}}).json()["description"] == "f"


def test_search_is_of_one_schema_in_pages(http: httpx.Client, client: WorkspaceClient) -> None:
    client.schemas.create("prompts", "main")
    for each in ("a", "b", "c"):
        make(http, f"main.prompts.{each}", versions=1)
    asked = {"catalog_schema": {"catalog_name": "main", "schema_name": "prompts"}, "max_results": 2}

    first = http.post(f"{BASE}/search", json=asked).json()
    second = http.post(f"{BASE}/search", json={**asked, "page_token": first["next_page_token"]}).json()

    assert [[each["name"] for each in page["prompts"]] for page in (first, second)] == [
        ["main.prompts.a", "main.prompts.b"],
        ["main.prompts.c"],
    ]
    assert "next_page_token" not in second
    assert error(http.post(f"{BASE}/search", json={**asked, "filter": "name LIKE 'a%'"})) == (501, "NOT_IMPLEMENTED")
    with pytest.raises(BadRequest, match=r"3 prompt\(s\)"):
        client.schemas.delete("main.prompts")
    client.schemas.delete("main.prompts", force=True)
    client.schemas.create("prompts", "main")
    assert http.post(f"{BASE}/search", json=asked).json() == {"prompts": []}


@pytest.mark.parametrize("kind", ["models", "runs", "traces"])
def test_links_are_of_versions_that_exist(http: httpx.Client, kind: str) -> None:
    make(http, f"main.default.linked_{kind}", versions=1)
    links = f"/api/2.0/mlflow/unity-catalog/prompt-versions/links-to-{kind}"

    answers = [
        http.post(links, json={"prompt_versions": [{"name": f"main.default.linked_{kind}", "version": version}]}) for version in ("1", "2")
    ]

    assert (answers[0].status_code, answers[0].json()) == (200, {})
    assert error(answers[1]) == (404, "RESOURCE_DOES_NOT_EXIST")
