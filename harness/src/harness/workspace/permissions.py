"""Access control lists of workspace objects: recorded and echoed, not enforced.

There is one user, who may do everything; what is kept here serves clients that write permissions and compare them later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import ApiError, NotEmulated
from harness.state import Documents, Store
from harness.workspace.model import WorkspaceObject
from harness.workspace.permission_levels import LEVELS, singular
from harness.workspace.ports import Tree

OwnerOf = Callable[[str], str | None]
"""Who made the object of this id; None when there is no such object."""
_KIND_OF = {"DIRECTORY": "directories", "NOTEBOOK": "notebooks", "FILE": "files"}


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

    Of a type in `owners` only objects that exist, or whose list was written while they did, have permissions; so it is with the objects
    of `tree`, which inherit from their directories; of other types every id.
    """

    def __init__(self, *, store: Store, user: str, owners: Mapping[str, OwnerOf] | None = None, tree: Tree | None = None) -> None:
        self._lists = Documents(store, "permissions", AccessControl)
        self._user = user
        self._owners = dict(owners or {})
        self._tree = tree

    def get(self, kind: str, object_id: str) -> AccessControl:
        """Return the list of an object, without what it inherits; until one is written, its owner stands alone in it.

        The list of a deleted serving endpoint stays: github.com/databricks/cli, acceptance, drift/recreated_same_name.
        """
        if kind not in LEVELS:
            raise NotEmulated(f"permissions of {kind}")
        found = self._object(kind, object_id)
        if found is not None:
            return self._of_tree(found)
        written = self._lists.get(f"{kind}/{object_id}")
        if written is not None:
            return written
        owner = self._owners[kind](object_id) if kind in self._owners else self._user
        if owner is None:
            raise _missing(kind, object_id)
        return AccessControl([_owning(kind, owner, human=owner == self._user or "@" in owner)])

    def inherited(self, kind: str, object_id: str) -> Sequence[tuple[str, AccessControl]]:
        """Return what an object has from the directories above it, the nearest first: `/directories/{id}` and its list."""
        found = self._object(kind, object_id)
        if found is None or self._tree is None:
            return []
        return [(f"/directories/{one.object_id}", self._of_tree(one)) for one in reversed(self._tree.above(found))]

    def replace(self, kind: str, object_id: str, wanted: AccessControl) -> AccessControl:
        """Write the list of an object."""
        with self._lists.transaction():
            self.get(kind, object_id)
            _check(kind, wanted)
            return self._lists.put(f"{kind}/{object_id}", wanted)

    def update(self, kind: str, object_id: str, changes: AccessControl) -> AccessControl:
        """Replace the lines of the principals named in `changes` and keep the others; a new owner takes the place of the old one."""
        with self._lists.transaction():
            named = {grant.principal for grant in changes.access_control_list}
            owned = any(grant.permission_level == "IS_OWNER" for grant in changes.access_control_list)
            kept = [
                grant
                for grant in self.get(kind, object_id).access_control_list
                if grant.principal not in named and not (owned and grant.permission_level == "IS_OWNER")
            ]
            return self.replace(kind, object_id, AccessControl([*kept, *changes.access_control_list]))

    def levels(self, kind: str, object_id: str) -> Mapping[str, str]:
        """Return the levels there are for such an object, the least first, with their descriptions."""
        self.get(kind, object_id)
        return LEVELS[kind]

    def _object(self, kind: str, object_id: str) -> WorkspaceObject | None:
        """Return what `kind` and id name in the tree; None for objects that are not in one."""
        if self._tree is None or kind not in _KIND_OF.values():
            return None
        found = self._tree.by_id(int(object_id)) if object_id.isdecimal() else None
        if found is None or _KIND_OF[found.object_type] != kind:
            raise _missing(kind, object_id)
        return found

    def _of_tree(self, found: WorkspaceObject) -> AccessControl:
        written = self._lists.get(f"{_KIND_OF[found.object_type]}/{found.object_id}")
        if written is not None:
            return written
        # docs.databricks.com/workspace/workspace-objects: a home folder is its user's, everybody may manage what is in /Shared
        if found.path == f"/Users/{self._user}":
            return AccessControl([_owning("directories", self._user, human=True)])
        return AccessControl([Grant("CAN_MANAGE", group_name="users")] if found.path == "/Shared" else [])


def _missing(kind: str, object_id: str) -> ApiError:
    # Assumption: the wording; that an unknown id is a 404 is documented.
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{singular(kind)} with id '{object_id}' does not exist.")


def _owning(kind: str, owner: str, *, human: bool) -> Grant:
    level = "IS_OWNER" if kind == "jobs" else "CAN_MANAGE"
    return Grant(level, user_name=owner) if human else Grant(level, service_principal_name=owner)


def _check(kind: str, wanted: AccessControl) -> None:
    """Raise the platform's 400 for a line that is about nobody or several, or has a level that such objects have not."""
    for grant in wanted.access_control_list:
        if sum(map(bool, grant.principal)) != 1:
            message = f"Each line needs one of user_name, group_name and service_principal_name, got {list(filter(None, grant.principal))}."
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        if grant.permission_level not in LEVELS[kind]:
            message = f"Permission level '{grant.permission_level}' is not one of {singular(kind)}: {', '.join(LEVELS[kind])}."
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    owners = sum(grant.permission_level == "IS_OWNER" for grant in wanted.access_control_list)
    if kind == "jobs" and owners != 1:
        # docs.databricks.com/api/workspace/jobs/setpermissions: a job has exactly one owner. Assumption: the wording
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"The job must have exactly one owner, got {owners}.")


def rendered(kind: str, object_id: str, control: AccessControl, inherited: Sequence[tuple[str, AccessControl]] = ()) -> dict[str, object]:
    """Return the platform's answer for one object: a line a principal, first its own levels and then those it inherits."""
    lines: dict[tuple[str, str, str], list[dict[str, object]]] = {}
    for grant in control.access_control_list:
        lines.setdefault(grant.principal, []).append({"permission_level": grant.permission_level, "inherited": False})
    for origin, above in inherited:
        for grant in above.access_control_list:
            level = {"permission_level": grant.permission_level, "inherited": True, "inherited_from_object": [origin]}
            lines.setdefault(grant.principal, []).append(level)
    return {
        "object_id": f"/{kind}/{object_id}",
        "object_type": singular(kind),
        "access_control_list": [_line(principal, levels) for principal, levels in lines.items()],
    }


def _line(principal: tuple[str, str, str], levels: Sequence[Mapping[str, object]]) -> dict[str, object]:
    names = zip(("user_name", "group_name", "service_principal_name"), principal, strict=True)
    return {**{key: name for key, name in names if name}, "all_permissions": levels}
