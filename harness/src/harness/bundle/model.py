"""What a bundle is once resolved: typed artifacts and resources for one target, nothing left to look up but ids."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.bundle.conform import UnknownKey
from harness.bundle.nodes import Json, Node, Position
from harness.bundle.yaml_text import dump


@dataclass(frozen=True, slots=True)
class Source:
    """One YAML file of a bundle: its name relative to the bundle's folder, and its text. The first of several is `databricks.yml`."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who deploys, and to which workspace."""

    user_name: str
    host: str

    @property
    def short_name(self) -> str:
        """The user's name for use in other names: what stands before the @, in lower case, other characters as underscores."""
        # Assumption: "o'neil.jr@x.org" is o_neil_jr; the documentation shows first_last for first.last@….
        return re.sub(r"[^a-z0-9_]+", "_", self.user_name.partition("@")[0].lower()).strip("_")

    @property
    def domain_friendly_name(self) -> str:
        """The short name with what follows the @, in a form that names allow."""
        return re.sub(r"[^a-z0-9_]+", "_", self.user_name.lower()).strip("_")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line and the environment say: target (None: the default one), variables from each.

    `overrides` are the texts of `variable-overrides.json` by target.
    `ignore_host` is that the bundle is for this workspace, whatever host it pins. `git` is what `${bundle.git.…}` says where the bundle
    itself does not: branch, commit and origin_url.
    """

    target: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    ignore_host: bool = False
    overrides: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A wheel to build: `build` runs in `path` (relative to the bundle's folder) when it is given.

    `executable` is the shell that runs it, `files` are globs of what it leaves (default: `dist/*.whl` in `path`), and with
    `dynamic_version` other content has another version.
    """

    key: str
    path: str
    build: str | None
    at: Position = field(compare=False)
    executable: str | None = None
    files: Sequence[str] = ()
    dynamic_version: bool = False


@dataclass(frozen=True, slots=True)
class Permission:
    """One principal with a permission level of the resource's own kind (for a job, CAN_MANAGE_RUN)."""

    permission_level: str
    principal: Mapping[str, str]

    def body(self) -> dict[str, Json]:
        """Return the line of an access control list."""
        return {**self.principal, "permission_level": self.permission_level}


@dataclass(frozen=True, slots=True)
class Grant:
    """The privileges of one principal on a securable of Unity Catalog."""

    principal: str
    privileges: Sequence[str]

    def body(self) -> dict[str, Json]:
        """Return the line of a privilege assignment."""
        return {"principal": self.principal, "privileges": list(self.privileges)}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: `body` is what its API takes, but for ids of others (`${resources.jobs.x.id}`) and local wheels."""

    kind: str
    key: str
    name: str
    body: Mapping[str, Json]
    permissions: Sequence[Permission]
    at: Position = field(compare=False)
    grants: Sequence[Grant] = ()
    prevent_destroy: bool = False

    @property
    def path(self) -> str:
        """Its place in the configuration, and its name in the deployed state."""
        return f"resources.{self.kind}.{self.key}"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a deployment lives in the workspace."""

    root: str
    artifacts: str
    files: str
    state: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle resolved for one target. `tree` is the whole configuration; `warnings` is what was ignored in the files."""

    name: str
    target: str
    mode: str | None
    paths: Paths
    artifacts: Sequence[Artifact]
    resources: Sequence[Resource]
    tree: Node
    warnings: Sequence[UnknownKey] = field(compare=False, default=())

    def of_kind(self, kind: str) -> Mapping[str, Resource]:
        """Return the resources of one kind by key."""
        return {each.key: each for each in self.resources if each.kind == kind}

    def as_yaml(self) -> str:
        """Return the configuration as one YAML file that resolves to this bundle."""
        return dump(self.tree.plain())
