"""What has to happen so that the workspace holds what the bundle says: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

import msgspec

from harness.bundle.deployed import Entry
from harness.bundle.kinds import KINDS
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
    grants: list[dict[str, Json]]

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
    why: str = ""

    def __str__(self) -> str:
        return f"{self.action} {self.path}{f' ({self.why})' if self.why else ''}"

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


def plan(wanted: Sequence[Wanted], deployed: Mapping[str, Entry], now: Mapping[str, Mapping[str, object] | None]) -> Plan:
    """Return what to do, removals first, then the rest with what others refer to ahead.

    `now` is how each deployed resource stands, None when nothing is behind its entry any more.
    """
    by_path = {each.resource.path: each for each in wanted}
    removals = [Step("delete", path, entry.id, None, "no longer in the bundle") for path, entry in deployed.items() if path not in by_path]
    steps: list[Step] = []
    new: set[str] = set()
    for each in _ordered(wanted):
        path = each.resource.path
        entry = deployed.get(path)
        action, why = _action(each, entry, now.get(path), new)
        if action in {"create", "recreate"}:
            new.add(path)
        if action is not None:
            steps.append(Step(action, path, entry.id if entry is not None and now.get(path) is not None else None, each, why))
    return Plan((*_last_made_first(removals), *steps), len(wanted) - len(steps))


def removal(deployed: Mapping[str, Entry]) -> Plan:
    """Return what takes a deployment away."""
    return Plan(tuple(_last_made_first([Step("delete", path, entry.id, None) for path, entry in deployed.items()])), 0)


def _action(wanted: Wanted, entry: Entry | None, now: Mapping[str, object] | None, new: set[str]) -> tuple[Action | None, str]:
    if entry is None:
        return "create", ""
    if now is None:
        return "create", "somebody deleted it"
    identity = [key for key in KINDS[wanted.resource.kind].identity if wanted.body.get(key) != entry.state.get(key)]
    if identity and entry.state:
        return "recreate", f"{', '.join(identity)} cannot change"
    changed = [key for key in {**wanted.body, **entry.state} if wanted.body.get(key) != entry.state.get(key)]
    changed += ["permissions"] if wanted.permissions != list(entry.permissions) else []
    changed += ["grants"] if wanted.grants != list(entry.grants) else []
    changed += [f"{each} is new" for each in sorted(wanted.needs & new)]
    if entry.seen is None and not changed:
        changed = ["its last deployment did not end"]
    elif entry.seen is not None and entry.seen != now:
        changed += [f"{each} was changed in the workspace" for each in _differences(entry.seen, now)]
    return ("update", ", ".join(changed)) if changed else (None, "")


def _differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    found = []
    for part in {**before, **now}:
        one, other = before.get(part), now.get(part)
        if part == "resource" and isinstance(one, Mapping) and isinstance(other, Mapping):
            found += [key for key in {**one, **other} if one.get(key) != other.get(key)]
        elif one != other:
            found.append(part)
    return found


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
