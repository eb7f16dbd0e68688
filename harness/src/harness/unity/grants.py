"""Privileges on securables: what is granted on each, and what each inherits. Whether they are enforced is `access`'s to decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.errors import ApiError
from harness.state import Documents, Store
from harness.unity.privileges import check_applicable, named

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
            if not each.principal:
                raise ApiError(400, "INVALID_PARAMETER_VALUE", "principal must not be empty")
            held = (set(after.get(each.principal, [])) | {named(name) for name in each.add}) - {named(name) for name in each.remove}
            after[each.principal] = sorted(held)
        return Granted({principal: names for principal, names in after.items() if names})


@dataclass(frozen=True, slots=True)
class Inherited:
    """A privilege on a securable, and the one above it on which it is granted; empty when it is granted on the securable itself."""

    privilege: str
    from_type: str = ""
    from_name: str = ""


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
        securable = self._id_of(kind, full_name)
        check_applicable([privilege for each in changes for privilege in each.add], kind.lower())
        with self._granted.transaction():
            return self._granted.put(securable, (self._granted.get(securable) or Granted()).changed(changes))

    def effective(self, kind: str, full_name: str) -> dict[str, list[Inherited]]:
        """Return what each principal holds on a securable, with what is granted on its schema and its catalog."""
        # Assumption: whatever is granted above is told, also what says nothing of a securable of this kind (USE_CATALOG of a table).
        held: dict[str, list[Inherited]] = {}
        for above, name in chain(kind, full_name):
            place = ("", "") if (above, name) == (kind.lower(), full_name) else (above.upper(), name)
            for principal, names in self.get(above, name).privileges.items():
                held.setdefault(principal, []).extend(Inherited(each, *place) for each in names)
        return held


def chain(kind: str, full_name: str) -> list[tuple[str, str]]:
    """Return a securable and those that hold it, it first, by kind and name.

    >>> chain("table", "main.sales.orders")
    [('table', 'main.sales.orders'), ('schema', 'main.sales'), ('catalog', 'main')]
    """
    parts = full_name.split(".")
    holders = [(above, ".".join(parts[:count])) for above, count in (("schema", 2), ("catalog", 1)) if count < len(parts)]
    return [(kind.lower(), full_name), *holders]
