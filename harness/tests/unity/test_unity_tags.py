"""Tags of Unity Catalog, through the unmodified client."""

import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import AlreadyExists, InvalidParameterValue, NotFound
from databricks.sdk.service.catalog import EntityTagAssignment, VolumeType
from deltalake import write_deltalake

from harness.config import Layout


@pytest.fixture
def client(catalogs: Any, make_table: Callable[[str], None]) -> WorkspaceClient:
    """Return a client of a workspace with a schema `main.tagged`, a table and a volume in it, without tags."""
    found = WorkspaceClient(host=catalogs.host, token="secret-token", auth_type="pat")
    if any(each.name == "tagged" for each in found.schemas.list("main")):
        found.schemas.delete("main.tagged", force=True)
    found.schemas.create("tagged", "main")
    found.volumes.create("main", "tagged", "files", VolumeType.MANAGED)
    make_table("main.tagged.trips")
    return found


def put(client: WorkspaceClient, kind: str, name: str, key: str, value: str | None = None) -> EntityTagAssignment:
    """Assign a tag."""
    return client.entity_tag_assignments.create(EntityTagAssignment(name, key, kind, tag_value=value))


def held(client: WorkspaceClient, kind: str, name: str) -> dict[str, str | None]:
    """Return the tags of an entity."""
    return {each.tag_key: each.tag_value for each in client.entity_tag_assignments.list(kind, name)}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        pytest.param("catalogs", "main", id="catalog"),
        pytest.param("schemas", "main.tagged", id="schema"),
        pytest.param("tables", "main.tagged.trips", id="table"),
        pytest.param("columns", "main.tagged.trips.fare", id="column"),
        pytest.param("volumes", "main.tagged.files", id="volume"),
    ],
)
def test_tags_are_told_until_they_are_taken_away(client: WorkspaceClient, kind: str, name: str) -> None:
    made = put(client, kind, name, "cost_center", "hr")
    put(client, kind, name, "Pii")
    assert (made.entity_type, made.entity_name, made.tag_key, made.tag_value) == (kind, name, "cost_center", "hr")
    assert held(client, kind, name) == {"Pii": "", "cost_center": "hr"}

    changed = EntityTagAssignment(name, "cost_center", kind, tag_value="it")
    assert client.entity_tag_assignments.update(kind, name, "cost_center", changed, "tag_value").tag_value == "it"
    client.entity_tag_assignments.delete(kind, name, "Pii")

    assert client.entity_tag_assignments.get(kind, name, "cost_center").tag_value == "it"
    assert held(client, kind, name) == {"cost_center": "it"}
    client.entity_tag_assignments.delete(kind, name, "cost_center")


def test_tags_follow_a_volume_that_is_renamed_and_go_with_it(client: WorkspaceClient) -> None:
    put(client, "volumes", "main.tagged.files", "raw")
    client.volumes.update("main.tagged.files", new_name="landing")
    assert held(client, "volumes", "main.tagged.landing") == {"raw": ""}

    client.volumes.delete("main.tagged.landing")
    client.volumes.create("main", "tagged", "landing", VolumeType.MANAGED)
    assert held(client, "volumes", "main.tagged.landing") == {}


def test_a_table_made_again_begins_without_tags(client: WorkspaceClient, layout: Layout, make_table: Callable[[str], None]) -> None:
    """Also on its columns; a table that is only written to keeps them."""
    put(client, "tables", "main.tagged.trips", "gold")
    put(client, "columns", "main.tagged.trips.fare", "money")
    folder = layout.warehouse / "main" / "tagged" / "trips"
    write_deltalake(folder, pa.table({"trip_id": ["b"], "fare": [2.5]}), mode="append", schema_mode="merge")
    assert held(client, "columns", "main.tagged.trips.FARE") == {"money": ""}

    client.tables.delete("main.tagged.trips")
    make_table("main.tagged.trips")
    assert held(client, "tables", "main.tagged.trips") == {}
    assert held(client, "columns", "main.tagged.trips.fare") == {}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        pytest.param("", "x", "tag_key is required", id="no key"),
        pytest.param("k" * 256, "x", "Tag key 'kkk", id="key too long"),
        pytest.param("a.b", "x", "Tag key 'a.b' is not valid", id="period in a key"),
        pytest.param("a/b", "x", "Tag key 'a/b' is not valid", id="slash in a key"),
        pytest.param(" a", "x", "Tag key ' a' is not valid", id="space before a key"),
        pytest.param("a", "x" * 1001, "The value of tag 'a' is not valid", id="value too long"),
        pytest.param("a", "x ", "The value of tag 'a' is not valid", id="space after a value"),
    ],
)
def test_a_tag_that_cannot_be_is_refused(client: WorkspaceClient, key: str, value: str, message: str) -> None:
    with pytest.raises(InvalidParameterValue, match=re.escape(message)):
        put(client, "schemas", "main.tagged", key, value)

    assert held(client, "schemas", "main.tagged") == {}


def test_fifty_tags_are_the_most(client: WorkspaceClient) -> None:
    for number in range(50):
        put(client, "schemas", "main.tagged", f"k{number}", "v" * 1000)

    with pytest.raises(InvalidParameterValue, match="would have 51 tags; at most 50 are allowed"):
        put(client, "schemas", "main.tagged", "one more")
    assert len(held(client, "schemas", "main.tagged")) == 50


@pytest.mark.parametrize(
    ("kind", "name", "error"),
    [
        pytest.param("tables", "main.tagged.none", NotFound, id="no table"),
        pytest.param("columns", "main.tagged.trips.none", NotFound, id="no column"),
        pytest.param("columns", "main.tagged.fare", InvalidParameterValue, id="not a column's name"),
        pytest.param("volumes", "main.tagged.trips", NotFound, id="a table is no volume"),
        pytest.param("rivers", "main", InvalidParameterValue, id="no such kind"),
    ],
)
def test_what_is_not_there_has_no_tags(client: WorkspaceClient, kind: str, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        put(client, kind, name, "key")


def test_a_tag_is_assigned_once_and_changed_only_when_it_is_there(client: WorkspaceClient) -> None:
    put(client, "catalogs", "main", "once", "1")

    with pytest.raises(AlreadyExists, match="Tag 'once' is already assigned to catalogs 'main'"):
        put(client, "catalogs", "main", "once", "2")
    with pytest.raises(NotFound, match="Tag 'never' is not assigned to catalogs 'main'"):
        client.entity_tag_assignments.update("catalogs", "main", "never", EntityTagAssignment("main", "never", "catalogs"), "tag_value")
    with pytest.raises(InvalidParameterValue, match="update_mask 'tag_key'"):
        client.entity_tag_assignments.update("catalogs", "main", "once", EntityTagAssignment("main", "once", "catalogs"), "tag_key")
    client.entity_tag_assignments.delete("catalogs", "main", "once")
    with pytest.raises(NotFound):
        client.entity_tag_assignments.delete("catalogs", "main", "once")
