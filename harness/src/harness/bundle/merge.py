"""How a target's part lies over the bundle's: mappings by key, lists one after the other, keyed lists by their key."""

from collections.abc import Mapping
from dataclasses import replace

from harness.bundle.nodes import Node

# docs.databricks.com/dev-tools/bundles/job-task-override, .../cluster-override: list elements joined by a key of theirs.
JOB_LISTS: Mapping[str, str] = {
    "tasks": "task_key",
    "job_clusters": "job_cluster_key",
    "environments": "environment_key",
    "parameters": "name",
}


def merge(under: Node, over: Node) -> Node:
    """Return `under` with `over` upon it: mappings merge, lists are joined, anything else is replaced. Null changes nothing."""
    if over.value is None:
        return under
    if isinstance(under.value, Mapping) and isinstance(over.value, Mapping):
        both = dict(under.value)
        for key, value in over.value.items():
            both[key] = merge(both[key], value) if key in both else value
        return Node(both, under.at)
    if isinstance(under.value, tuple) and isinstance(over.value, tuple):
        return Node((*under.value, *over.value), under.at)
    return over


def merge_job_lists(tree: Node) -> Node:
    """Return the tree with each job's keyed lists joined: what has the same key becomes one element, at its first place."""
    jobs = tree.find("resources", "jobs")
    if jobs is None:
        return tree
    merged = {key: _job(job) for key, job in jobs.entries().items()}
    return tree.with_path(("resources", "jobs"), replace(jobs, value=merged))


def _job(job: Node) -> Node:
    for name, key in JOB_LISTS.items():
        found = job.child(name)
        if found is not None and isinstance(found.value, tuple):
            job = job.with_child(name, replace(found, value=_joined(found.value, key)))
    return job


def _joined(items: tuple[Node, ...], key: str) -> tuple[Node, ...]:
    by_key: dict[object, Node] = {}
    for number, item in enumerate(items):
        own = item.child(key)
        name = own.string() if own is not None else None
        identity: object = name if name is not None else number
        by_key[identity] = merge(by_key[identity], item) if identity in by_key else item
    return tuple(by_key.values())
