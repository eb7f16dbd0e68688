"""Who may do what, where grants are enforced: `HARNESS_GRANTS=enforced` in the environment of `harness up`.

The workspace's user may do everything, as a metastore's administrator may. Spark SQL is not held to grants: the engine cannot tell its
callers apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.errors import ApiError, UserError
from harness.unity.grants import Grants, chain

SETTING, ENFORCED = "HARNESS_GRANTS", "enforced"
MANAGE = "MANAGE"
# In which groups everybody is: `users` of the workspace (harness/people.py), `account users` of the account.
_EVERYBODY = frozenset({"users", "account users"})
# "ALL PRIVILEGES" is all but these: docs.databricks.com/aws/en/data-governance/unity-catalog/manage-privileges/privileges
_NEVER_ALL = frozenset({MANAGE, "EXTERNAL_USE_SCHEMA", "EXTERNAL_USE_LOCATION"})
_WORDS = {"function": "Routine or Model"}

OwnerOf = Callable[[str, str], str]
"""Whose a securable is; raises the platform's errors for one that is not there."""


def is_enforced(setting: str | None) -> bool:
    """Return what a value of `HARNESS_GRANTS` means."""
    if setting in {None, "", "recorded"}:
        return False
    if setting != ENFORCED:
        raise UserError(f"{SETTING}={setting}: expected recorded (the default) or {ENFORCED}")
    return True


@dataclass(frozen=True, slots=True)
class Need:
    """A privilege on a securable; MANAGE stands for being allowed to change and delete it."""

    privilege: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Access:
    """Decides by owners and grants."""

    grants: Grants
    owner_of: OwnerOf
    administrator: str

    def allows(self, user: str, need: Need) -> bool:
        """Return whether `user` has what is needed: as its owner, or by a grant on it or on what holds it."""
        if user == self.administrator:
            return True
        places = chain(need.kind, need.name)
        owned = places if need.privilege == MANAGE else places[:1]  # owners of what holds it may manage it, and no more than that
        if any(self.owner_of(kind, name) == user for kind, name in owned):
            return True
        wanted = {need.privilege} if need.privilege in _NEVER_ALL else {need.privilege, "ALL_PRIVILEGES"}
        return any(wanted & self._held(user, kind, name) for kind, name in places)

    def require(self, user: str, needs: Sequence[Need]) -> None:
        """Raise the platform's 403 for the first need that `user` does not meet."""
        for need in needs:
            if not self.allows(user, need):
                what = _WORDS.get(need.kind, need.kind.capitalize())
                message = f"User does not have {need.privilege.replace('_', ' ')} on {what} '{need.name}'."
                raise ApiError(403, "PERMISSION_DENIED", message)

    def _held(self, user: str, kind: str, name: str) -> set[str]:
        granted = self.grants.get(kind, name).privileges
        return {privilege for principal in {user, *_EVERYBODY} for privilege in granted.get(principal, [])}


def within(*needs: Need) -> list[Need]:
    """Return `needs` after what is needed to come to their securables: USE CATALOG, USE SCHEMA.

    >>> [f"{need.privilege} {need.name}" for need in within(Need("SELECT", "table", "main.sales.orders"))]
    ['USE_CATALOG main', 'USE_SCHEMA main.sales', 'SELECT main.sales.orders']
    """
    uses = {"catalog": "USE_CATALOG", "schema": "USE_SCHEMA"}
    above = [Need(uses[kind], kind, name) for need in needs for kind, name in reversed(chain(need.kind, need.name)[1:])]
    return [*dict.fromkeys(above), *needs]
