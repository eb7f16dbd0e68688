"""An isolated workspace as data. Pure."""

from dataclasses import dataclass

from harness.config import ISOLATED_USERS

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class IsolatedWorkspace:
    """What one test, or whoever asks, has for itself."""

    workspace_id: str
    created_at: int
    process: int = 0
    """Whose it is: when this process is gone, the workspace goes too; 0 for one that stays until it is deleted."""

    @property
    def catalog(self) -> str:
        """Return its catalog, in which its Spark sessions begin."""
        return self.workspace_id

    @property
    def user(self) -> str:
        """Return its user, who makes all that is made with its token."""
        return f"{self.workspace_id}{ISOLATED_USERS}"

    @property
    def home(self) -> str:
        """Return its folder."""
        return f"/Users/{self.user}"


def workspace_id(drawn: str) -> str:
    """Return an id made of 32 hexadecimal digits; it must do as the name of a catalog."""
    return f"test_{drawn[:_DIGITS]}"


def catalog_of(user: str) -> str | None:
    """Return the catalog in which `user` begins; None for whoever is not the user of an isolated workspace."""
    return user.removesuffix(ISOLATED_USERS) if user.endswith(ISOLATED_USERS) else None
