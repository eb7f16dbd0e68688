"""Which wheels the jobs of a bundle need, found once they are built, and what they are called in the workspace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.bundle.build import matching
from harness.bundle.model import Bundle
from harness.bundle.nodes import Json, Node
from harness.bundle.paths import local_wheel
from harness.errors import UserError


@dataclass(frozen=True, slots=True)
class Wheels:
    """Dependencies as they stand in the jobs, and the wheels each stands for."""

    of_dependency: Mapping[str, tuple[Path, ...]]
    folder: str

    def uploads(self) -> dict[str, Path]:
        """Return every wheel by its path in the workspace."""
        return {self._remote(path): path for paths in self.of_dependency.values() for path in paths}

    def in_place(self, body: Mapping[str, Json]) -> dict[str, Json]:
        """Return a job's settings with workspace paths in the place of local wheels."""
        environments = body.get("environments")
        if not isinstance(environments, list):
            return dict(body)
        return {**body, "environments": [self._environment(each) for each in environments]}

    def _environment(self, environment: Json) -> Json:
        if not isinstance(environment, dict) or not isinstance(spec := environment.get("spec"), dict):
            return environment
        dependencies = spec.get("dependencies")
        if not isinstance(dependencies, list):
            return environment
        changed: list[Json] = [found for each in dependencies for found in self._dependency(each)]
        return {**environment, "spec": {**spec, "dependencies": changed}}

    def _dependency(self, dependency: Json) -> list[Json]:
        if not isinstance(dependency, str) or dependency not in self.of_dependency:
            return [dependency]
        extras = (local_wheel(dependency) or ("", ""))[1]
        return [f"{self._remote(path)}{extras}" for path in self.of_dependency[dependency]]

    def _remote(self, path: Path) -> str:
        return f"{self.folder}/{path.name}"


def find_wheels(bundle: Bundle, folder: Path, replaced: Mapping[Path, Path]) -> Wheels:
    """Return the wheels that the jobs' dependencies name; one that matches nothing, or two of one name, is an error.

    `replaced` is which wheel goes instead of which.
    """
    found: dict[str, tuple[Path, ...]] = {}
    first: dict[str, Path] = {}
    for dependency in _dependencies(bundle.tree):
        text = dependency.string() or ""
        local = local_wheel(text)
        if local is None:
            continue
        wheels = tuple(sorted(replaced.get(path.resolve(), path.resolve()) for path in matching(folder, local[0])))
        if not wheels:
            message = f"no wheel matches '{text}' (from the bundle's folder); expected one that an entry of 'artifacts:' builds"
            raise UserError(f"{dependency.at}: {message}; correct the path or add the artifact")
        for wheel in wheels:
            if first.setdefault(wheel.name, wheel) != wheel:
                message = f"{wheel} and {first[wheel.name]} have the same file name"
                raise UserError(f"{dependency.at}: {message}; give one another version or name")
        found[text] = wheels
    return Wheels(found, f"{bundle.paths.artifacts}/.internal")


def _dependencies(tree: Node) -> Iterator[Node]:
    jobs = tree.find("resources", "jobs")
    for job in jobs.entries().values() if jobs is not None else ():
        environments = job.child("environments")
        for environment in environments.items() if environments is not None else ():
            dependencies = environment.find("spec", "dependencies")
            yield from dependencies.items() if dependencies is not None else ()
