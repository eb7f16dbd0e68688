"""Access control lists of workspace objects: recorded and echoed, not enforced.

There is one user, who may do everything; what is kept here serves clients that write permissions and compare them later.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.errors import ApiError, NotEmulated
from harness.state import Documents, Store

OwnerOf = Callable[[str], str | None]
"""Who made the object of this id; None when there is no such object."""

# From the least to the most: docs.databricks.com, security/auth/access-control, serving endpoint ACLs. Assumption: the descriptions.
LEVELS: Mapping[str, Mapping[str, str]] = {
    "serving-endpoints": {
        "CAN_VIEW": "Can view the serving endpoint",
        "CAN_QUERY": "Can view and query the serving endpoint",
        "CAN_MANAGE": "Can manage the serving endpoint",
    }
}


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of an access control list as a client writes it."""

    permission_level: str
    user_name: str = ""
    group_name: str = ""
    service_principal_name: str = ""

    @property
    def principal(self) -> tuple[str, str, str]:
        """Whom the line is about."""
        return self.user_name, self.group_name, self.service_principal_name


@dataclass(frozen=True, slots=True)
class AccessControl:
    """The access control list of one object."""

    access_control_list: list[Grant] = field(default_factory=list)


class PermissionsService:
    """Lists by object type and id, as in `/api/2.0/permissions/{type}/{id}`.

    Of a type in `owners` only objects that exist, or whose list was written while they did, have permissions; of others every id.
    """

    def __init__(self, *, store: Store, user: str, owners: Mapping[str, OwnerOf] | None = None) -> None:
        self._lists = Documents(store, "permissions", AccessControl)
        self._user = user
        self._owners = dict(owners or {})

    def get(self, kind: str, object_id: str) -> AccessControl:
        """Return the list of an object; until one is written, its owner stands alone in it.

        The list of a deleted serving endpoint stays: github.com/databricks/cli, acceptance, drift/recreated_same_name.
        """
        written = self._lists.get(f"{kind}/{object_id}")
        if written is not None:
            return written
        owner = self._owners[kind](object_id) if kind in self._owners else self._user
        if owner is None:
            # Assumption: the wording; that an unknown id is a 404 is documented.
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{_singular(kind)} with id '{object_id}' does not exist.")
        return AccessControl([_owning(kind, owner, human=owner == self._user or "@" in owner)])

    def replace(self, kind: str, object_id: str, wanted: AccessControl) -> AccessControl:
        """Write the list of an object."""
        for grant in wanted.access_control_list:
            _check(kind, grant)
        with self._lists.transaction():
            self.get(kind, object_id)
            return self._lists.put(f"{kind}/{object_id}", wanted)

    def update(self, kind: str, object_id: str, changes: AccessControl) -> AccessControl:
        """Replace the lines of the principals named in `changes` and keep the others."""
        with self._lists.transaction():
            named = {grant.principal for grant in changes.access_control_list}
            kept = [grant for grant in self.get(kind, object_id).access_control_list if grant.principal not in named]
            return self.replace(kind, object_id, AccessControl([*kept, *changes.access_control_list]))

    def levels(self, kind: str, object_id: str) -> Mapping[str, str]:
        """Return the levels there are for such an object, the least first, with their descriptions."""
        if kind not in LEVELS:
            raise NotEmulated(f"GET /api/2.0/permissions/{kind}/{object_id}/permissionLevels")
        self.get(kind, object_id)
        return LEVELS[kind]


def _owning(kind: str, owner: str, *, human: bool) -> Grant:
    level = "IS_OWNER" if kind == "jobs" else "CAN_MANAGE"
    return Grant(level, user_name=owner) if human else Grant(level, service_principal_name=owner)


def _check(kind: str, grant: Grant) -> None:
    """Raise the platform's 400 for a line that is about nobody or several, or has a level that such objects have not."""
    if kind not in LEVELS:
        return
    if sum(map(bool, grant.principal)) != 1:
        message = f"Each line needs one of user_name, group_name and service_principal_name, got {list(filter(None, grant.principal))}."
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    if grant.permission_level not in LEVELS[kind]:
        message = f"Permission level '{grant.permission_level}' is not one of {_singular(kind)}: {', '.join(LEVELS[kind])}."
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)


def rendered(kind: str, object_id: str, control: AccessControl) -> dict[str, object]:
    """Return the platform's answer for one object."""
    # Assumption: the singular of the path's word is the object type ("jobs" -> "job"), as in the documented examples.
    return {
        "object_id": f"/{kind}/{object_id}",
        "object_type": _singular(kind),
        "access_control_list": [_line(grant) for grant in control.access_control_list],
    }


def _singular(kind: str) -> str:
    return kind.removesuffix("ies") + "y" if kind.endswith("ies") else kind.removesuffix("s")


def _line(grant: Grant) -> dict[str, object]:
    names = (("user_name", grant.user_name), ("group_name", grant.group_name), ("service_principal_name", grant.service_principal_name))
    levels = [{"permission_level": grant.permission_level, "inherited": False}]
    return {**{key: name for key, name in names if name}, "all_permissions": levels}
