"""Ids in the place of the references that only a deployment could resolve."""

from collections.abc import Mapping

from harness.bundle.nodes import Json, Node, Position, node
from harness.bundle.references import Path, Resolution

_NOWHERE = Position("the deployment's state", 1, 1)


def with_ids(body: Mapping[str, Json], ids: Mapping[str, str]) -> dict[str, Json]:
    """Return `body` with the ids of other resources: texts, but for the job that a Run Job task runs, which is a number."""

    def find(path: Path) -> Node | None:
        id_ = ids.get(".".join(path[:3]))
        return None if id_ is None else node(id_, _NOWHERE)

    resolution = Resolution(find, lambda _: False)
    return {key: _with_numbers(resolution.tree(node(value, _NOWHERE)).plain()) for key, value in body.items()}


def _with_numbers(value: Json) -> Json:
    match value:
        case dict():
            return {key: _job_to_run(each) if key == "run_job_task" else _with_numbers(each) for key, each in value.items()}
        case list():
            return [_with_numbers(each) for each in value]
    return value


def _job_to_run(asked: Json) -> Json:
    id_ = asked.get("job_id") if isinstance(asked, dict) else None
    return {**asked, "job_id": int(id_)} if isinstance(asked, dict) and isinstance(id_, str) and id_.isdecimal() else asked
