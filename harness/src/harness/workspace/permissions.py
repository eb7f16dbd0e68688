"""Access control lists of workspace objects: recorded and echoed, not enforced.

There is one user, who may do everything; what is kept here serves clients that write permissions and compare them later.
"""

from dataclasses import dataclass, field

from harness.state import Documents, Store


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
    """Lists by object type and id, as in `/api/2.0/permissions/{type}/{id}`."""

    def __init__(self, *, store: Store, user: str) -> None:
        self._lists = Documents(store, "permissions", AccessControl)
        self._user = user

    def get(self, kind: str, object_id: str) -> AccessControl:
        """Return the list of an object; until one is written, its owner stands alone in it."""
        owner = Grant("IS_OWNER" if kind == "jobs" else "CAN_MANAGE", user_name=self._user)
        return self._lists.get(f"{kind}/{object_id}") or AccessControl([owner])

    def replace(self, kind: str, object_id: str, wanted: AccessControl) -> AccessControl:
        """Write the list of an object."""
        return self._lists.put(f"{kind}/{object_id}", wanted)

    def update(self, kind: str, object_id: str, changes: AccessControl) -> AccessControl:
        """Replace the lines of the principals named in `changes` and keep the others."""
        with self._lists.transaction():
            named = {grant.principal for grant in changes.access_control_list}
            kept = [grant for grant in self.get(kind, object_id).access_control_list if grant.principal not in named]
            return self.replace(kind, object_id, AccessControl([*kept, *changes.access_control_list]))


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
