"""Secrets, through the official client."""

import logging
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.dbutils import RemoteDbUtils
from databricks.sdk.errors import BadRequest, NotFound, ResourceAlreadyExists
from databricks.sdk.service.workspace import AclPermission, AzureKeyVaultSecretScopeMetadata, ScopeBackendType

from harness.clock import SystemClock
from harness.errors import ApiError
from harness.state import Documents, Store
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_model import Secret, SecretScope


def dbutils(client: WorkspaceClient) -> RemoteDbUtils:
    """Return the dbutils of a client outside of the workspace (`client.dbutils` is another where a test put `dbruntime` on the path)."""
    return RemoteDbUtils(client.config)


@pytest.fixture
def scope(client: WorkspaceClient) -> Iterator[str]:
    """A scope of the test's own."""
    client.secrets.create_scope("models")
    yield "models"
    client.secrets.delete_scope("models")


def test_secret_can_be_read_as_it_was_put(client: WorkspaceClient, scope: str) -> None:
    """Text comes back as base64 of its UTF-8, as the client and `dbutils` expect."""
    client.secrets.put_secret(scope, "api-key", string_value="gr\u00fcn")

    assert b64decode(client.secrets.get_secret(scope, "api-key").value or "").decode() == "gr\u00fcn"
    assert dbutils(client).secrets.get(scope, "api-key") == "gr\u00fcn"


def test_bytes_can_be_secret(client: WorkspaceClient, scope: str) -> None:
    """Bytes that are no text survive."""
    client.secrets.put_secret(scope, "blob", bytes_value=b64encode(b"\xff\x00").decode())

    assert client.secrets.get_secret(scope, "blob").value == b64encode(b"\xff\x00").decode()


def test_list_shows_keys_and_no_values(client: WorkspaceClient, scope: str, http: httpx.Client) -> None:
    """Keys and when they were written is all that a list tells."""
    client.secrets.put_secret(scope, "b", string_value="hunter2")
    client.secrets.put_secret(scope, "a", string_value="hunter2")

    listed = http.get("/api/2.0/secrets/list", params={"scope": scope}).json()["secrets"]

    assert [set(one) for one in listed] == [{"key", "last_updated_timestamp"}] * 2
    assert [one.key for one in client.secrets.list_secrets(scope)] == ["a", "b"]


def test_put_replaces(client: WorkspaceClient, scope: str) -> None:
    """The same key, however it is written, is the same secret."""
    client.secrets.put_secret(scope, "key", string_value="old")
    client.secrets.put_secret("MODELS", "KEY", string_value="new")

    assert dbutils(client).secrets.get(scope, "key") == "new"
    assert len(list(client.secrets.list_secrets(scope))) == 1


def test_scopes_are_listed(client: WorkspaceClient, scope: str) -> None:
    """A scope shows its name and where it is kept."""
    found = [one.as_dict() for one in client.secrets.list_scopes() if one.name == scope]

    assert found == [{"name": "models", "backend_type": "DATABRICKS"}]


def test_scope_exists_once(client: WorkspaceClient, scope: str) -> None:
    """Names differ in more than case."""
    with pytest.raises(ResourceAlreadyExists, match=r"^Scope MODELS already exists!$"):
        client.secrets.create_scope(scope.upper())


def test_deleted_scope_takes_its_secrets_along(client: WorkspaceClient) -> None:
    """A scope made anew under the same name is empty; a scope whose name only begins alike is left alone."""
    for name in ("short", "short2"):
        client.secrets.create_scope(name)
        client.secrets.put_secret(name, "key", string_value="value")
    client.secrets.delete_scope("short")
    client.secrets.create_scope("short")

    assert list(client.secrets.list_secrets("short")) == []
    assert dbutils(client).secrets.get("short2", "key") == "value"


def test_deleted_secret_is_gone(client: WorkspaceClient, scope: str) -> None:
    """The error says what is not there, in dbutils' words."""
    client.secrets.put_secret(scope, "key", string_value="value")
    client.secrets.delete_secret(scope, "key")

    with pytest.raises(NotFound, match=r"^Secret does not exist with scope: models and key: key$"):
        client.secrets.get_secret(scope, "key")
    with pytest.raises(NotFound, match="Secret does not exist"):
        client.secrets.delete_secret(scope, "key")


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        pytest.param("GET", "list", {}, id="list"),
        pytest.param("GET", "get", {"key": "k"}, id="get"),
        pytest.param("GET", "acls/list", {}, id="list of rights"),
        pytest.param("POST", "put", {"key": "k", "string_value": "v"}, id="put"),
        pytest.param("POST", "delete", {"key": "k"}, id="delete"),
        pytest.param("POST", "scopes/delete", {}, id="delete scope"),
        pytest.param("POST", "acls/put", {"principal": "users", "permission": "READ"}, id="put right"),
    ],
)
def test_unknown_scope_is_not_found(http: httpx.Client, method: str, path: str, more: dict[str, str]) -> None:
    """Every call names its scope."""
    sent = {"scope": "nowhere", **more}
    given: dict[str, Any] = {"params": sent} if method == "GET" else {"json": sent}

    answer = http.request(method, f"/api/2.0/secrets/{path}", **given)

    assert (answer.status_code, answer.json()) == (
        404,
        {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Scope nowhere does not exist!"},
    )


@pytest.mark.parametrize(
    ("sent", "error_code"),
    [
        pytest.param({"key": "k"}, "MALFORMED_REQUEST", id="no value"),
        pytest.param({"key": "k", "string_value": "a", "bytes_value": "YQ=="}, "MALFORMED_REQUEST", id="two values"),
        pytest.param({"key": "k", "bytes_value": "hunter2!"}, "INVALID_PARAMETER_VALUE", id="not base64"),
        pytest.param({"key": "k", "string_value": "x" * (128 * 1024 + 1)}, "INVALID_PARAMETER_VALUE", id="too large"),
        pytest.param({"key": "a/b", "string_value": "v"}, "INVALID_PARAMETER_VALUE", id="slash in key"),
        pytest.param({"key": "k" * 129, "string_value": "v"}, "INVALID_PARAMETER_VALUE", id="long key"),
        pytest.param({"key": "", "string_value": "v"}, "INVALID_PARAMETER_VALUE", id="empty key"),
        pytest.param({"key": "k", "string_value": {"hunter2": 1}}, "INVALID_PARAMETER_VALUE", id="not text"),
    ],
)
def test_bad_secret_is_refused_and_not_repeated(http: httpx.Client, scope: str, sent: dict[str, object], error_code: str) -> None:
    """The answer names what is wrong, never the value."""
    answer = http.post("/api/2.0/secrets/put", json={"scope": scope, **sent})

    assert (answer.status_code, answer.json()["error_code"]) == (400, error_code)
    assert "hunter2" not in answer.text


def test_largest_secret_is_accepted(client: WorkspaceClient, scope: str) -> None:
    """128 KB is allowed."""
    client.secrets.put_secret(scope, "large", string_value="x" * 128 * 1024)

    assert len(dbutils(client).secrets.get(scope, "large")) == 128 * 1024


@pytest.mark.parametrize("name", [pytest.param("", id="empty"), pytest.param("a/b", id="slash"), pytest.param("s" * 129, id="long")])
def test_scope_names_are_checked(client: WorkspaceClient, name: str) -> None:
    """Letters, digits and a few signs, at most 128."""
    with pytest.raises(BadRequest) as refused:
        client.secrets.create_scope(name)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_creator_manages_the_scope_until_others_are_named(client: WorkspaceClient, scope: str) -> None:
    """Rights are recorded, one line a principal."""
    client.secrets.put_acl(scope, "data-scientists", AclPermission.READ)
    client.secrets.put_acl(scope, "data-scientists", AclPermission.WRITE)

    assert [acl.as_dict() for acl in client.secrets.list_acls(scope)] == [
        {"principal": "developer@harness.local", "permission": "MANAGE"},
        {"principal": "data-scientists", "permission": "WRITE"},
    ]
    assert client.secrets.get_acl(scope, "data-scientists").permission == AclPermission.WRITE
    client.secrets.delete_acl(scope, "data-scientists")
    with pytest.raises(NotFound, match="data-scientists"):
        client.secrets.get_acl(scope, "data-scientists")


def test_everybody_can_be_made_manager(client: WorkspaceClient) -> None:
    """`users` is the only principal that may be named at creation."""
    client.secrets.create_scope("shared", initial_manage_principal="users")

    assert [acl.principal for acl in client.secrets.list_acls("shared")] == ["users"]
    with pytest.raises(BadRequest, match="only the group 'users'"):
        client.secrets.create_scope("other", initial_manage_principal="admins")


def test_key_vaults_are_not_emulated(client: WorkspaceClient) -> None:
    """A scope that would live elsewhere is refused, not pretended."""
    vault = AzureKeyVaultSecretScopeMetadata("/subscriptions/x", "https://x.vault.azure.net/")
    with pytest.raises(errors.NotImplemented, match="AZURE_KEYVAULT"):
        client.secrets.create_scope("vault", scope_backend_type=ScopeBackendType.AZURE_KEYVAULT, backend_azure_keyvault=vault)


def test_values_are_in_no_log(client: WorkspaceClient, scope: str, secrets: SecretsService, caplog: pytest.LogCaptureFixture) -> None:
    """Neither what is logged nor what a debugger prints shows a value."""
    with caplog.at_level(logging.DEBUG, logger="harness"):
        client.secrets.put_secret(scope, "key", string_value="hunter2")
        client.secrets.get_secret(scope, "key")

    assert "hunter2" not in caplog.text
    assert "hunter2" not in repr(secrets.get(scope, "key"))


def test_other_services_read_the_text_of_a_secret(client: WorkspaceClient, scope: str, secrets: SecretsService) -> None:
    """What `{{secrets/scope/key}}` stands for; what is no text cannot be one."""
    client.secrets.put_secret(scope, "key", string_value="value")
    client.secrets.put_secret(scope, "blob", bytes_value=b64encode(b"\xff").decode())

    assert secrets.value(scope, "key") == "value"
    with pytest.raises(ApiError, match="is not text"):
        secrets.value(scope, "blob")
    with pytest.raises(ApiError, match="Secret does not exist"):
        secrets.value(scope, "missing")


def test_workspace_and_scope_can_be_full() -> None:
    """A thousand scopes, a thousand secrets in each; what is there can still be overwritten."""
    store = Store(":memory:")
    service = SecretsService(store=store, clock=SystemClock())
    with store.transaction():
        for number in range(1000):
            Documents(store, "secret_scope", SecretScope).put(f"s{number}", SecretScope(f"s{number}"))
            Documents(store, "secret", Secret).put(f"s0/k{number}", Secret(f"k{number}", 0, b""))

    with pytest.raises(ApiError, match="at most 1000 secret scopes") as refused:
        service.create_scope("one-more", backend="DATABRICKS", manager="me")
    assert (refused.value.status, refused.value.error_code) == (400, "RESOURCE_LIMIT_EXCEEDED")
    with pytest.raises(ApiError, match="at most 1000 are allowed"):
        service.put("s0", "one-more", b"")
    service.put("s0", "K7", b"new")
    assert service.value("s0", "k7") == "new"
    store.close()
