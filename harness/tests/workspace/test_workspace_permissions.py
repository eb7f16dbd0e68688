"""Access control lists of objects whose ids are known to their service."""

from collections.abc import Iterator

import pytest

from harness.errors import ApiError, NotEmulated
from harness.state import Store
from harness.workspace.permissions import AccessControl, Grant, PermissionsService

KIND = "serving-endpoints"


@pytest.fixture
def owners() -> dict[str, str]:
    """Who made which endpoint; tests delete from it."""
    return {"e1": "ann@example.com", "e2": "7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403"}


@pytest.fixture
def permissions(owners: dict[str, str]) -> Iterator[PermissionsService]:
    """Permissions of a workspace that knows those endpoints."""
    store = Store(":memory:")
    yield PermissionsService(store=store, user="me@example.com", owners={KIND: owners.get})
    store.close()


def test_creator_manages(permissions: PermissionsService) -> None:
    """Until a list is written, whoever made the endpoint stands alone in it, users and service principals alike."""
    assert permissions.get(KIND, "e1").access_control_list == [Grant("CAN_MANAGE", user_name="ann@example.com")]
    assert permissions.get(KIND, "e2").access_control_list == [
        Grant("CAN_MANAGE", service_principal_name="7c9e1f52-3f0b-4d0a-9a51-6f1d2c8be403")
    ]


def test_unknown_id_is_not_found(permissions: PermissionsService) -> None:
    """Reading, writing and asking for the levels of what does not exist."""
    wanted = AccessControl([Grant("CAN_VIEW", group_name="users")])
    for ask in (
        lambda: permissions.get(KIND, "nope"),
        lambda: permissions.replace(KIND, "nope", wanted),
        lambda: permissions.update(KIND, "nope", wanted),
        lambda: permissions.levels(KIND, "nope"),
    ):
        with pytest.raises(ApiError, match="serving-endpoint with id 'nope' does not exist") as caught:
            ask()
        assert (caught.value.status, caught.value.error_code) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_list_of_a_deleted_object_stays(permissions: PermissionsService, owners: dict[str, str]) -> None:
    """The platform keeps what was written under the old id."""
    wanted = AccessControl([Grant("CAN_QUERY", group_name="users")])
    permissions.replace(KIND, "e1", wanted)
    del owners["e1"], owners["e2"]
    assert permissions.get(KIND, "e1") == wanted
    with pytest.raises(ApiError, match="does not exist"):
        permissions.get(KIND, "e2")


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        pytest.param(
            Grant("CAN_RUN", user_name="a"), "'CAN_RUN' is not one of serving-endpoint: CAN_VIEW, CAN_QUERY, CAN_MANAGE", id="level"
        ),
        pytest.param(Grant("CAN_VIEW"), "needs one of user_name", id="nobody"),
        pytest.param(Grant("CAN_VIEW", user_name="a", group_name="b"), "needs one of user_name", id="two"),
    ],
)
def test_impossible_line_is_refused(permissions: PermissionsService, grant: Grant, message: str) -> None:
    """A 400 that changes nothing."""
    before = permissions.get(KIND, "e1")
    with pytest.raises(ApiError, match=message) as caught:
        permissions.update(KIND, "e1", AccessControl([grant]))
    assert caught.value.status == 400
    assert permissions.get(KIND, "e1") == before


def test_levels_of_other_objects_are_not_emulated(permissions: PermissionsService) -> None:
    """There are no clusters here."""
    assert list(permissions.levels(KIND, "e1")) == ["CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"]
    with pytest.raises(NotEmulated, match="clusters"):
        permissions.levels("clusters", "1")


def test_job_has_one_owner(permissions: PermissionsService) -> None:
    """A list without, or with two, is refused; a change hands the job over."""
    with pytest.raises(ApiError, match="exactly one owner, got 0"):
        permissions.replace("jobs", "1", AccessControl([Grant("CAN_VIEW", group_name="users")]))
    handed = permissions.update("jobs", "1", AccessControl([Grant("IS_OWNER", user_name="other@example.com")]))
    assert handed.access_control_list == [Grant("IS_OWNER", user_name="other@example.com")]
