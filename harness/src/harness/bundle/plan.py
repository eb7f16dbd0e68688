"""What has to happen so that the workspace holds what the bundle says: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

import msgspec

from harness.bundle.calls import KINDS
from harness.bundle.deployed import Entry
from harness.bundle.model import Resource
from harness.bundle.nodes import Json
from harness.bundle.references import references

Action = Literal["create", "update", "recreate", "delete"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource with what is to be sent for it; ids of others are still references."""

    resource: Resource
    body: dict[str, Json]
    permissions: list[dict[str, Json]]

    @property
    def needs(self) -> set[str]:
        """The paths of the resources it refers to."""
        text = msgspec.json.encode(self.body).decode()
        return {".".join(path[:3]) for path in references(text) if path[0] == "resources"}


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `id` is what the resource is now, if anything; `wanted` what it shall be, if anything."""

    action: Action
    path: str
    id: str | None
    wanted: Wanted | None

    @property
    def kind(self) -> str:
        """The resource's kind."""
        return self.path.split(".")[1]

    @property
    def loses_data(self) -> bool:
        """Whether tables, files or models go with it."""
        return self.action in {"delete", "recreate"} and KINDS[self.kind].holds_data


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in order, and how many resources stay as they are."""

    steps: Sequence[Step]
    unchanged: int

    def __str__(self) -> str:
        added, removed = self._count("create", "recreate"), self._count("delete", "recreate")
        return f"{added} to add, {self._count('update')} to change, {removed} to delete"

    def _count(self, *actions: Action) -> int:
        return sum(step.action in actions for step in self.steps)


def plan(wanted: Sequence[Wanted], deployed: Mapping[str, Entry], gone: set[str]) -> Plan:
    """Return what to do, removals first, then the rest with what others refer to ahead. `gone` are entries nothing is behind any more."""
    by_path = {each.resource.path: each for each in wanted}
    removals = [Step("delete", path, entry.id, None) for path, entry in deployed.items() if path not in by_path]
    steps: list[Step] = []
    new: set[str] = set()
    for each in _ordered(wanted):
        path = each.resource.path
        entry = None if path in gone else deployed.get(path)
        action = _action(each, entry, new)
        if action in {"create", "recreate"}:
            new.add(path)
        if action is not None:
            steps.append(Step(action, path, entry.id if entry is not None else None, each))
    return Plan((*_last_made_first(removals), *steps), len(wanted) - len(steps))


def removal(deployed: Mapping[str, Entry]) -> Plan:
    """Return what takes a deployment away."""
    return Plan(tuple(_last_made_first([Step("delete", path, entry.id, None) for path, entry in deployed.items()])), 0)


def _action(wanted: Wanted, entry: Entry | None, new: set[str]) -> Action | None:
    if entry is None:
        return "create"
    identity = KINDS[wanted.resource.kind].identity
    if any(wanted.body.get(key) != entry.state.get(key) for key in identity):
        return "recreate"
    same = wanted.body == entry.state and wanted.permissions == list(entry.permissions)
    return None if same and not wanted.needs & new else "update"


def _ordered(wanted: Sequence[Wanted]) -> Iterator[Wanted]:
    by_path = {each.resource.path: each for each in wanted}
    kinds = list(KINDS)
    order = TopologicalSorter({path: each.needs for path, each in by_path.items()})
    order.prepare()  # resolution has refused circles
    while order.is_active():
        ready = order.get_ready()
        yield from sorted((by_path[path] for path in ready), key=lambda each: kinds.index(each.resource.kind))
        order.done(*ready)


def _last_made_first(steps: list[Step]) -> list[Step]:
    kinds = list(KINDS)
    known = [step for step in steps if step.kind in KINDS]
    return sorted(known, key=lambda step: kinds.index(step.kind), reverse=True)
