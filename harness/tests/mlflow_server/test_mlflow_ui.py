"""The MLflow server's pages through the workspace: the page and its parts, what its scripts ask for, models of Unity Catalog in it.

Seen once with a browser: experiments, a run, an artifact, a trace, a registered model and its version open.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.unity.registry_model import ModelVersion
from harness.unity.service import UnityService

pytestmark = pytest.mark.platform
MODEL = "main.default.on_a_page"
PAGES = "/ml/ajax-api/2.0/mlflow"


@pytest.fixture(scope="module")
def pages(platform: Any) -> Iterator[httpx.Client]:
    """Give what a browser becomes once it is logged in; the cookie is identity's matter."""
    headers = {"authorization": "Bearer secret-token", "accept": "text/html"}
    with httpx.Client(base_url=platform.host, headers=headers, trust_env=False, timeout=60) as plain:
        yield plain


@pytest.fixture(scope="module")
def model(platform: Any) -> ModelVersion:
    """Register a model with two versions, the second of which is the champion."""
    unity: UnityService = platform.unity
    unity.registry.create(MODEL, user="me", description="shown", tags={"team": "ml"})
    for _ in range(2):
        made = unity.registry.create_version(ModelVersion.asked(MODEL, user="me", tags={}, run_id="r1"))
        (unity.registry.files(MODEL, made.version) / "MLmodel").write_text("flavors: {}")
        unity.registry.finalize(MODEL, made.version)
    unity.registry.set_alias(MODEL, "Champion", "2")
    return unity.registry.version(MODEL, "2")


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_page_and_its_script_are_served(pages: httpx.Client) -> None:
    page = pages.get("/ml/")
    script = re.search(r'src="(static-files/[^"]+\.js)"', page.text)

    assert page.headers["content-type"].startswith("text/html")
    assert script is not None
    assert "javascript" in pages.get(f"/ml/{script[1]}").headers["content-type"]
    assert pages.get("/ml").headers["location"] == "/ml/"


def test_links_that_the_client_prints_lead_to_the_page(pages: httpx.Client) -> None:
    assert pages.get("/ml/experiments/1/runs/abc").headers["location"] == "/ml/#/experiments/1/runs/abc"
    assert error(pages.get("/ml/experiments/1", headers={"accept": "*/*"})) == (501, "NOT_IMPLEMENTED")


def test_scripts_of_the_page_reach_the_server(pages: httpx.Client) -> None:
    found = pages.post(f"{PAGES}/experiments/search", json={"max_results": 5}).json()

    assert "0" in [each["experiment_id"] for each in found["experiments"]]


def test_models_of_unity_catalog_are_shown(pages: httpx.Client, model: ModelVersion) -> None:
    asked = {"filter": "name ilike '%On_a_Page%' AND tags.`mlflow.prompt.is_prompt` != 'true'"}
    [shown] = pages.get(f"{PAGES}/registered-models/search", params=asked).json()["registered_models"]
    versions = pages.get(f"{PAGES}/model-versions/search", params={"filter": f"name='{MODEL}'"}).json()["model_versions"]

    assert (shown["name"], shown["description"], shown["tags"]) == (MODEL, "shown", [{"key": "team", "value": "ml"}])
    assert (shown["aliases"], shown["latest_versions"][0]["version"]) == ([{"alias": "Champion", "version": model.version}], "2")
    assert [(each["version"], each["aliases"], each["status"]) for each in versions] == [("2", ["Champion"], "READY"), ("1", [], "READY")]
    assert pages.get(f"{PAGES}/registered-models/get", params={"name": MODEL}).json()["registered_model"] == shown
    assert pages.get(f"{PAGES}/model-versions/get", params={"name": MODEL, "version": "2"}).json()["model_version"] == versions[0]


def test_prompts_are_not_among_models(pages: httpx.Client, model: ModelVersion) -> None:
    asked = {"filter": "tags.`mlflow.prompt.is_prompt` = 'true'"}

    assert pages.get(f"{PAGES}/registered-models/search", params=asked).json()["registered_models"] == []
    assert pages.get(f"{PAGES}/model-versions/search", params=asked).json()["model_versions"] == []
    odd = {"filter": f"version_number = '{model.version}'"}
    assert error(pages.get(f"{PAGES}/registered-models/search", params=odd)) == (501, "NOT_IMPLEMENTED")


def test_pages_change_models_but_make_no_versions(pages: httpx.Client, unity: UnityService, model: ModelVersion) -> None:
    change = {"name": MODEL, "version": model.version, "key": "seen", "value": "yes"}

    assert pages.post(f"{PAGES}/model-versions/set-tag", json=change).json() == {}
    assert unity.registry.version(MODEL, "2").tags == {"seen": "yes"}
    assert error(pages.post(f"{PAGES}/model-versions/create", json={"name": MODEL, "source": "x"})) == (501, "NOT_IMPLEMENTED")
    assert error(pages.post(f"{PAGES}/model-versions/transition-stage", json={"name": MODEL})) == (501, "NOT_IMPLEMENTED")


def test_files_of_versions_are_read_and_nothing_beside_them(pages: httpx.Client, model: ModelVersion) -> None:
    asked = {"name": MODEL, "version": model.version}

    got = pages.get("/ml/model-versions/get-artifact", params={**asked, "path": "MLmodel"})

    assert (got.text, got.headers["x-content-type-options"]) == ("flavors: {}", "nosniff")
    for path in ("", "nothing", "../1/MLmodel", "/etc/passwd", "../../../../../../etc/passwd"):
        assert error(pages.get("/ml/model-versions/get-artifact", params={**asked, "path": path})) == (404, "RESOURCE_DOES_NOT_EXIST")
