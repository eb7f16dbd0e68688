"""Ids in the place of the references that only a deployment could resolve."""

from collections.abc import Mapping

from harness.bundle.nodes import Json, Node, Position, node
from harness.bundle.references import Path, Resolution

_NOWHERE = Position("the deployment's state", 1, 1)


def with_ids(body: Mapping[str, Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """Return `body` with the ids of other resources: `${resources.jobs.x.id}` alone is a number where the id is one."""

    def find(path: Path) -> Node | None:
        id_ = ids.get(".".join(path[:3]))
        return None if id_ is None else node(int(id_) if id_.isdecimal() else id_, _NOWHERE)

    resolution = Resolution(find, lambda _: False)
    return {key: resolution.tree(node(value, _NOWHERE)).plain() for key, value in body.items()}
