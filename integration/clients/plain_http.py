"""Plain HTTP, as with curl: who am I, a table by its name, what is not there, what is not emulated, and tokens.

`python plain_http.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any

HOST, TOKEN = os.environ["DATABRICKS_HOST"].rstrip("/"), os.environ["DATABRICKS_TOKEN"]


def call(method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, Any]:
    """Send a request; return the status and the JSON of its answer."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{HOST}{path}", content, headers, method=method)  # noqa: S310 - the workspace's own address
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def main() -> None:
    """Play it through."""
    status, me = call("GET", "/api/2.0/preview/scim/v2/Me")
    assert (status, bool(me["userName"])) == (200, True)
    status, catalogs = call("GET", "/api/2.1/unity-catalog/catalogs")
    assert "main" in {each["name"] for each in catalogs["catalogs"]}, catalogs
    for method, path, expected in (
        ("GET", "/api/2.1/unity-catalog/tables/main.nowhere.nothing", (404, None)),
        ("GET", "/api/2.1/unity-catalog/schemas/main.nowhere", (404, "SCHEMA_DOES_NOT_EXIST")),
        ("GET", "/api/2.0/serving-endpoints/nothing", (404, "RESOURCE_DOES_NOT_EXIST")),
        ("GET", "/api/2.2/jobs/get?job_id=1", (400, "INVALID_PARAMETER_VALUE")),
        ("GET", "/api/2.0/apps", (501, "NOT_IMPLEMENTED")),
    ):
        status, error = call(method, path)
        assert status == expected[0], (path, status, error)
        assert expected[1] in {None, error["error_code"]}, (path, error)
    assert "/api/2.0/apps" in call("GET", "/api/2.0/apps")[1]["message"]
    status, error = call("GET", "/api/2.0/preview/scim/v2/Me", token="dapi-of-somebody-else")  # noqa: S106 - no secret
    assert (status, error["error_code"]) == (401, "UNAUTHENTICATED")
    status, error = call("POST", "/api/2.1/unity-catalog/schemas", {"name": 1})
    assert (status, error["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), error


if __name__ == "__main__":
    main()
