"""Privileges on securables: recorded and told back, not enforced. There is one user, who may do everything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.errors import ApiError
from harness.state import Documents, Store

IdOf = Callable[[str, str], str]
"""The id of the securable of a type and full name; raises the platform's errors for one that is not there."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one principal gets and loses."""

    principal: str
    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Granted:
    """What each principal holds on one securable."""

    privileges: dict[str, list[str]] = field(default_factory=dict)

    def changed(self, changes: Sequence[Change]) -> "Granted":
        """Return it after `changes`; privileges are kept in the order of their names, and who has none left is not named."""
        after = dict(self.privileges)
        for each in changes:
            held = (set(after.get(each.principal, [])) | {_named(name) for name in each.add}) - {_named(name) for name in each.remove}
            after[each.principal] = sorted(held)
        return Granted({principal: names for principal, names in after.items() if names})


class Grants:
    """Grants by securable. They go by its id: what is dropped and made again under the same name begins without any."""

    def __init__(self, *, store: Store, id_of: IdOf) -> None:
        self._granted = Documents(store, "grants", Granted)
        self._id_of = id_of

    def get(self, kind: str, full_name: str) -> Granted:
        """Return what is granted on a securable."""
        return self._granted.get(self._id_of(kind, full_name)) or Granted()

    def update(self, kind: str, full_name: str, changes: Sequence[Change]) -> Granted:
        """Grant and take away, and return what is granted then."""
        with self._granted.transaction():
            return self._granted.put(self._id_of(kind, full_name), self.get(kind, full_name).changed(changes))


def _named(privilege: str) -> str:
    # Assumption: 'USE SCHEMA' of SQL and 'USE_SCHEMA' of the API are one; a name that no privilege can have is refused in these words.
    name = privilege.strip().upper().replace(" ", "_")
    if not name.replace("_", "").isalpha():
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Privilege '{privilege}' is not valid")
    return name
