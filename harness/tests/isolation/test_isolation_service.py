"""Isolated workspaces on a store of their own: what is made, in which order it goes, and what a failure leaves."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.clock import SystemClock
from harness.errors import ApiError
from harness.ids import SeededIds
from harness.isolation import IsolatedWorkspace, IsolationService
from harness.isolation.model import catalog_of
from harness.state import Store


@dataclass
class Admitted:
    """Tokens of users: their names backwards."""

    users: set[str] = field(default_factory=set)

    def admit(self, user: str) -> str:
        """Return a token."""
        self.users.add(user)
        return user[::-1]

    def dismiss(self, user: str) -> None:
        """Forget the user."""
        self.users.discard(user)


@dataclass
class Recorded:
    """A kind of belongings that tells what is done to it."""

    name: str
    told: list[str]
    broken: bool = False

    def make(self, workspace: IsolatedWorkspace) -> None:
        """Tell."""
        self.told.append(f"make {self.name} of {workspace.catalog}")

    def remove(self, workspace: IsolatedWorkspace) -> None:
        """Tell, or fail."""
        self.told.append(f"remove {self.name} of {workspace.catalog}")
        if self.broken:
            raise OSError("the disk says no")


@dataclass
class Around:
    """The service and what it was given."""

    service: IsolationService
    tokens: Admitted
    told: list[str]
    belongings: list[Recorded]
    path: Path

    def again(self) -> "Around":
        """Return another service on the same record, as after a restart."""
        return _around(self.path)


def _around(path: Path) -> Around:
    tokens, told = Admitted(), list[str]()
    belongings = [Recorded("catalog", told), Recorded("jobs", told)]
    store = Store(path)
    service = IsolationService(clock=SystemClock(), ids=SeededIds(len(told)), store=store, tokens=tokens, belongings=belongings)
    return Around(service, tokens, told, belongings, path)


@pytest.fixture
def around(tmp_path: Path) -> Around:
    """A service with two kinds of belongings."""
    return _around(tmp_path / "state.db")


@pytest.fixture
def ended() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_workspace_is_made_and_removed_in_opposite_orders(around: Around) -> None:
    """What runs ends before what it works on goes; the token is known from the first to the last."""
    workspace, token = around.service.create()
    assert (token, around.tokens.users) == (workspace.user[::-1], {workspace.user})
    assert workspace.user == f"{workspace.catalog}@workspace.harness.local"
    assert catalog_of(workspace.user) == workspace.catalog
    assert catalog_of("developer@harness.local") is None

    around.service.delete(workspace.workspace_id)

    name = workspace.catalog
    assert around.told == [f"make catalog of {name}", f"make jobs of {name}", f"remove jobs of {name}", f"remove catalog of {name}"]
    assert around.tokens.users == set()
    assert around.service.list() == []


def test_failure_leaves_nothing_but_what_failed(around: Around) -> None:
    """The rest is removed, the token is dead, and deleting again removes what is left."""
    workspace, _ = around.service.create()
    around.belongings[1].broken = True
    with pytest.raises(ExceptionGroup, match=workspace.workspace_id) as caught:
        around.service.delete(workspace.workspace_id)
    assert [str(error) for error in caught.value.exceptions] == ["the disk says no"]
    assert around.told[-1] == f"remove catalog of {workspace.catalog}"
    assert around.tokens.users == set()
    assert around.service.list() == [workspace]

    around.belongings[1].broken = False
    around.service.delete(workspace.workspace_id)
    with pytest.raises(ApiError) as gone:
        around.service.delete(workspace.workspace_id)
    assert (gone.value.status, gone.value.error_code) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_workspaces_are_known_after_a_restart(around: Around) -> None:
    """With the tokens that were given before."""
    workspace, _ = around.service.create(os.getpid())
    after = around.again()
    after.service.start()
    assert after.tokens.users == {workspace.user}


def test_abandoned_workspaces_go(around: Around, ended: int) -> None:
    """At a restart, and whenever somebody makes one."""
    first, _ = around.service.create(ended)
    second, _ = around.service.create()
    assert around.service.list() == [second]
    assert first.user not in around.tokens.users

    third, _ = around.service.create(ended)
    after = around.again()
    after.service.start()
    assert after.service.list() == [second]
    assert after.told == [f"remove jobs of {third.catalog}", f"remove catalog of {third.catalog}"]
