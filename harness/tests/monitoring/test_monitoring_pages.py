"""The dashboards' pages over HTTP, of monitors that the service has: closed without a token, open to what it drew."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from databricks.sdk import WorkspaceClient

from harness.monitoring.service import MonitoringService

TABLE = "main.s.trips"
PAGE = f"/__harness__/monitors/{TABLE}"
LOG = {
    "problem_type": "PROBLEM_TYPE_REGRESSION",
    "timestamp_col": "at",
    "granularities": ["1 day"],
    "prediction_col": "prediction",
    "model_id_col": "model_version",
    "label_col": "fare",
}


@pytest.fixture
def browser(workspace: WorkspaceClient) -> Iterator[httpx.Client]:
    """A client with the token."""
    headers = {"Authorization": "Bearer secret"}
    with httpx.Client(base_url=str(workspace.config.host), headers=headers, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def monitored(workspace: WorkspaceClient, service: MonitoringService, write_trips: Callable[..., None]) -> str:
    """The table of a monitor that has been refreshed."""
    write_trips()
    body = {"output_schema_name": "main.monitoring", "assets_dir": "/Workspace/Shared", "inference_log": LOG}
    workspace.api_client.do("POST", f"/api/2.1/unity-catalog/tables/{TABLE}/monitor", body=body)
    service.start()
    deadline = time.monotonic() + 30
    while not service.refreshes.of(service.table_id(TABLE))[0].ended:
        assert time.monotonic() < deadline, "the refresh did not end in time"
        time.sleep(0.02)
    return TABLE


@pytest.mark.parametrize("path", ["/__harness__/monitors", PAGE, f"{PAGE}/file"])
def test_pages_are_closed_without_a_token(browser: httpx.Client, path: str) -> None:
    """As everything but the health."""
    del browser.headers["Authorization"]

    assert browser.get(path).status_code == 401


def test_the_page_of_a_monitor_is_drawn_from_its_tables(browser: httpx.Client, monitored: str) -> None:
    """Whatever the case of the name; with a policy that lets nothing in and no script run."""
    page = browser.get(PAGE.replace("trips", "Trips"))

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert f"<h1>{monitored}</h1>" in page.text
    assert "Quality over time" in page.text
    assert f'<a href="{PAGE}/file" download>' in page.text


def test_the_file_is_offered_under_the_tables_name(browser: httpx.Client, monitored: str) -> None:
    """It holds the panels that its pickers show."""
    file = browser.get(f"{PAGE}/file")

    assert file.headers["content-disposition"] == f"attachment; filename*=UTF-8''{monitored}-monitor.html"
    assert '<template data-section="drift"' in file.text


def test_the_list_leads_to_the_page(browser: httpx.Client, monitored: str) -> None:
    """Of every monitor."""
    assert f'<a href="{PAGE}">{monitored}</a>' in browser.get("/__harness__/monitors").text


def test_a_deleted_monitor_leaves_its_page(browser: httpx.Client, workspace: WorkspaceClient, monitored: str) -> None:
    """And says that it was deleted."""
    workspace.quality_monitors.delete(monitored)

    assert "The monitor was deleted" in browser.get(PAGE).text


def test_a_monitor_before_its_first_refresh_says_so(
    browser: httpx.Client, workspace: WorkspaceClient, write_trips: Callable[..., None]
) -> None:
    """The service has not begun to work."""
    write_trips()
    body = {"output_schema_name": "main.monitoring", "assets_dir": "/Workspace/Shared", "inference_log": LOG}
    workspace.api_client.do("POST", f"/api/2.1/unity-catalog/tables/{TABLE}/monitor", body=body)

    assert "The first refresh is under way." in browser.get(PAGE).text


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}/file"])
def test_a_table_without_a_monitor_is_a_404(browser: httpx.Client, path: str) -> None:
    """With those that have one."""
    answer = browser.get(path)

    assert answer.status_code == 404
    message = "Table 'main.s.trips' has no monitor; tables that have one: none"
    assert answer.json() == {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": message}


def test_a_browser_logs_in_once(workspace: WorkspaceClient, monitored: str) -> None:
    """A page asked for without a token is the login, which leads back to it; from then on a cookie stands for the token."""
    host = str(workspace.config.host)
    with httpx.Client(base_url=host, headers={"Accept": "text/html"}, follow_redirects=True, trust_env=False, timeout=60) as browser:
        asked = browser.get(PAGE)
        shown = browser.post("/__harness__/monitors/login", data={"token": "secret", "next": PAGE}, headers={"Origin": host})

        assert (asked.status_code, shown.status_code) == (401, 200)
        assert "Token (DATABRICKS_TOKEN)" in asked.text
        assert f"<h1>{monitored}</h1>" in shown.text
        assert browser.get(f"{PAGE}?measure=ks").status_code == browser.get(f"{PAGE}/file").status_code == 200


def test_a_login_opens_the_pages_only(workspace: WorkspaceClient, monitored: str) -> None:
    """The cookie of a browser is no token for the API, and a wrong token opens nothing."""
    host = str(workspace.config.host)
    with httpx.Client(base_url=host, headers={"Accept": "text/html"}, trust_env=False, timeout=60) as browser:
        wrong = browser.post("/__harness__/monitors/login", data={"token": "guess", "next": PAGE}, headers={"Origin": host})
        browser.post("/__harness__/monitors/login", data={"token": "secret", "next": PAGE}, headers={"Origin": host})

        assert wrong.status_code == 401
        assert browser.get(f"/api/2.1/unity-catalog/tables/{monitored}/monitor").status_code == 401
