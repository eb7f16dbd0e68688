"""Grants of Unity Catalog, through the unmodified client."""

import re
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound
from databricks.sdk.service.catalog import PermissionsChange, Privilege, VolumeType


@pytest.fixture
def client(catalogs: Any) -> WorkspaceClient:
    """Return a client of a workspace with a schema `main.granted`, a volume and a model in it, without grants."""
    found = WorkspaceClient(host=catalogs.host, token="secret-token", auth_type="pat")
    if any(each.name == "granted" for each in found.schemas.list("main")):
        found.schemas.delete("main.granted", force=True)
    found.schemas.create("granted", "main")
    found.volumes.create("main", "granted", "files", VolumeType.MANAGED)
    found.registered_models.create(catalog_name="main", schema_name="granted", name="model")
    return found


def held(client: WorkspaceClient, kind: str, name: str) -> dict[str, list[str]]:
    """Return the privileges of each principal."""
    lines = client.grants.get(kind, name).privilege_assignments or []
    return {str(each.principal): [privilege.value for privilege in each.privileges or []] for each in lines}


@pytest.mark.parametrize(
    ("kind", "name", "first", "second"),
    [
        pytest.param("catalog", "main", Privilege.SELECT, Privilege.USE_CATALOG, id="catalog"),
        pytest.param("schema", "main.granted", Privilege.MODIFY, Privilege.SELECT, id="schema"),
        pytest.param("volume", "main.granted.files", Privilege.READ_VOLUME, Privilege.WRITE_VOLUME, id="volume"),
        pytest.param("function", "main.granted.model", Privilege.APPLY_TAG, Privilege.EXECUTE, id="registered model"),
    ],
)
def test_what_is_granted_is_told_until_it_is_taken_away(
    client: WorkspaceClient, kind: str, name: str, first: Privilege, second: Privilege
) -> None:
    assert held(client, kind, name) == {}

    client.grants.update(kind, name, changes=[PermissionsChange(principal="users", add=[second, first])])
    client.grants.update(kind, name, changes=[PermissionsChange(principal="ann", add=[first])])
    assert held(client, kind, name) == {"users": [first.value, second.value], "ann": [first.value]}

    client.grants.update(kind, name, changes=[PermissionsChange(principal="users", remove=[second])])
    client.grants.update(kind, name, changes=[PermissionsChange(principal="ann", remove=[first])])
    assert held(client, kind, name) == {"users": [first.value]}
    client.grants.update(kind, name, changes=[PermissionsChange(principal="users", remove=[first])])


@pytest.mark.parametrize(
    ("kind", "name", "privilege", "message"),
    [
        pytest.param("volume", "main.granted.files", "SELECT", "Privilege SELECT is not applicable to this entity [VOLUME]", id="volume"),
        pytest.param(
            "function", "main.granted.model", "MODIFY", "Privilege MODIFY is not applicable to this entity [FUNCTION]", id="model"
        ),
        pytest.param(
            "schema", "main.granted", "USE_CATALOG", "Privilege USE CATALOG is not applicable to this entity [SCHEMA]", id="schema"
        ),
        pytest.param("schema", "main.granted", "FLY", "Privilege 'FLY' is not valid", id="no privilege"),
    ],
)
def test_privilege_of_another_kind_is_refused_and_nothing_is_granted(
    client: WorkspaceClient, kind: str, name: str, privilege: str, message: str
) -> None:
    body = {"changes": [{"principal": "users", "add": ["ALL_PRIVILEGES", privilege]}]}

    with pytest.raises(InvalidParameterValue, match=re.escape(message)):
        client.api_client.do("PATCH", f"/api/2.1/unity-catalog/permissions/{kind}/{name}", body=body)
    assert held(client, kind, name) == {}


def test_securable_made_again_begins_without_grants(client: WorkspaceClient) -> None:
    client.grants.update("schema", "main.granted", changes=[PermissionsChange(principal="users", add=[Privilege.SELECT])])
    client.schemas.delete("main.granted", force=True)
    client.schemas.create("granted", "main")

    assert held(client, "schema", "main.granted") == {}


@pytest.mark.parametrize("name", ["main.nowhere", "nowhere.granted"])
def test_grants_of_what_is_not_there_are_not_found(client: WorkspaceClient, name: str) -> None:
    with pytest.raises(NotFound):
        client.grants.get("schema", name)


def test_privilege_that_cannot_be_one_is_refused_and_nothing_is_granted(client: WorkspaceClient) -> None:
    body = {"changes": [{"principal": "users", "add": ["SELECT", "1=1"]}]}

    with pytest.raises(InvalidParameterValue, match="Privilege '1=1' is not valid"):
        client.api_client.do("PATCH", "/api/2.1/unity-catalog/permissions/schema/main.granted", body=body)
    assert held(client, "schema", "main.granted") == {}
