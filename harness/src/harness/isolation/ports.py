"""What isolated workspaces need of others."""

from typing import Protocol

from harness.isolation.model import IsolatedWorkspace


class Tokens(Protocol):
    """Whoever tells callers apart."""

    def admit(self, user: str) -> str:
        """Return a token of `user`, good until the user is dismissed."""
        ...

    def dismiss(self, user: str) -> None:
        """Know no token of `user` any more."""
        ...


class Belongings(Protocol):
    """One kind of what a workspace has."""

    def make(self, workspace: IsolatedWorkspace) -> None:
        """Make what every workspace begins with."""
        ...

    def remove(self, workspace: IsolatedWorkspace) -> None:
        """Remove everything that is the workspace's, ending what runs; nothing happens when nothing is there."""
        ...
