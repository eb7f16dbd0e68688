"""From the resolved tree to typed artifacts and resources."""

from collections.abc import Iterator, Mapping, Sequence

from harness.bundle.conform import UnknownKey
from harness.bundle.model import Artifact, Bundle, Grant, Paths, Permission, Resource
from harness.bundle.nodes import Node
from harness.errors import NotEmulated, UserError

# In the order in which they are made, where none refers to another.
KINDS = (
    "secret_scopes",
    "schemas",
    "volumes",
    "registered_models",
    "models",
    "experiments",
    "quality_monitors",
    "model_serving_endpoints",
    "jobs",
)
_NOT_SENT = {"permissions", "lifecycle", "grants"}
# docs.databricks.com/dev-tools/bundles/permissions: the bundle's three levels, in the words of each kind
_LEVELS: Mapping[str, Mapping[str, str]] = {
    "jobs": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN"},
    "experiments": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ"},
    "models": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ"},
    "model_serving_endpoints": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_QUERY"},
}
# docs.databricks.com/security/auth/access-control: the levels of each kind
_OWN_LEVELS: Mapping[str, tuple[str, ...]] = {
    "jobs": ("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"),
    "experiments": ("CAN_READ", "CAN_EDIT", "CAN_MANAGE"),
    "models": ("CAN_READ", "CAN_EDIT", "CAN_MANAGE_STAGING_VERSIONS", "CAN_MANAGE_PRODUCTION_VERSIONS", "CAN_MANAGE"),
    "model_serving_endpoints": ("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"),
    "secret_scopes": ("READ", "WRITE", "MANAGE"),
}
_ARTIFACT_TYPES = ("whl",)


def typed(tree: Node, warnings: Sequence[UnknownKey]) -> Bundle:
    """Return the tree's parts as types; a kind of resource or artifact that the harness cannot deploy is refused by name."""
    return Bundle(
        name=_text(tree, "bundle", "name"),
        target=_text(tree, "bundle", "target"),
        mode=_text(tree, "bundle", "mode") or None,
        paths=Paths(
            root=_text(tree, "workspace", "root_path"),
            artifacts=_text(tree, "workspace", "artifact_path"),
            files=_text(tree, "workspace", "file_path"),
            state=_text(tree, "workspace", "state_path"),
        ),
        artifacts=tuple(_artifacts(tree)),
        resources=tuple(_resources(tree)),
        tree=tree,
        warnings=tuple(warnings),
    )


def _artifacts(tree: Node) -> Iterator[Artifact]:
    for key, artifact in _entries(tree.child("artifacts")):
        kind = _text(artifact, "type") or "whl"
        if kind not in _ARTIFACT_TYPES:
            raise NotEmulated(f"{artifact.at}: artifacts.{key}: type '{kind}'")
        files = artifact.child("files")
        yield Artifact(
            key,
            _text(artifact, "path"),
            _text(artifact, "build") or None,
            artifact.at,
            executable=_text(artifact, "executable") or None,
            files=tuple(_text(each, "source") for each in files.items()) if files is not None else (),
            dynamic_version=_text(artifact, "dynamic_version") == "true",
        )


def _resources(tree: Node) -> Iterator[Resource]:
    resources = tree.child("resources")
    for kind, section in _entries(resources):
        if kind not in KINDS and section.entries():
            raise NotEmulated(f"{section.at}: deploying resources.{kind} with a bundle")
    for kind in KINDS:
        for key, resource in _entries(tree.find("resources", kind)):
            yield _resource(tree, kind, key, resource)


def _resource(tree: Node, kind: str, key: str, resource: Node) -> Resource:
    body = {name: value.plain() for name, value in resource.entries().items() if name not in _NOT_SENT}
    return Resource(
        kind=kind,
        key=key,
        name=_text(resource, "name"),
        body=body,
        permissions=tuple(_permissions(tree, kind, resource)),
        at=resource.at,
        grants=tuple(_grants(resource)),
        prevent_destroy=_text(resource, "lifecycle", "prevent_destroy") == "true",
    )


def _grants(resource: Node) -> Iterator[Grant]:
    lines = resource.child("grants")
    for line in lines.items() if lines is not None else ():
        privileges = line.child("privileges")
        principal = _text(line, "principal")
        names = tuple(_text(each) for each in privileges.items()) if privileges is not None else ()
        if not principal or not names:
            raise UserError(f"{line.at}: grants: expected 'principal' and 'privileges', such as {{principal: users, privileges: [SELECT]}}")
        yield Grant(principal, names)


def _permissions(tree: Node, kind: str, resource: Node) -> Iterator[Permission]:
    own = resource.child("permissions")
    for line in own.items() if own is not None else ():
        level = _text(line, "level")
        if level not in _OWN_LEVELS.get(kind, (level,)):
            at = (line.child("level") or line).at
            raise UserError(f"{at}: permissions: level '{level}' is not one of {kind}; expected one of {', '.join(_OWN_LEVELS[kind])}")
        yield Permission(level, _principal(line))
    levels = _LEVELS.get(kind, {})
    shared = tree.child("permissions")
    for line in shared.items() if shared is not None else ():
        level = _text(line, "level")
        if level not in _LEVELS["jobs"]:
            raise UserError(f"{line.at}: permissions: level '{level}' is not known; expected one of {', '.join(_LEVELS['jobs'])}")
        if level in levels:
            yield Permission(levels[level], _principal(line))


def _principal(line: Node) -> Mapping[str, str]:
    found = {key: _text(line, key) for key in ("user_name", "group_name", "service_principal_name")}
    named = {key: name for key, name in found.items() if name}
    if len(named) != 1:
        raise UserError(f"{line.at}: permissions: expected exactly one of user_name, group_name, service_principal_name")
    return named


def _entries(section: Node | None) -> Sequence[tuple[str, Node]]:
    return tuple(section.entries().items()) if section is not None else ()


def _text(tree: Node, *path: str) -> str:
    found = tree.find(*path)
    return (found.string() if found is not None else None) or ""
