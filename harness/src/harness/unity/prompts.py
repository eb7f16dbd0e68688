"""The prompt registry of Unity Catalog: texts with versions, aliases and tags, named like tables."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.names import FullName, moved
from harness.state import Documents, Store
from harness.unity import registry_model as rules
from harness.unity.folders import Folders
from harness.unity.prompts_model import Prompt, PromptVersion, missing


class PromptRegistry:
    """Prompts, versions, aliases and tags."""

    def __init__(self, *, folders: Folders, clock: Clock, store: Store) -> None:
        self._folders = folders
        self._clock = clock
        self._prompts = Documents(store, "prompt", Prompt)
        self._versions = Documents(store, "prompt_version", PromptVersion)

    def create(self, name: str, *, description: str, tags: Mapping[str, str]) -> Prompt:
        """Make a prompt in a schema that exists."""
        full = FullName.parse(name, "prompt")
        self._folders.schema(full.catalog, full.schema)
        with self._prompts.transaction():
            if self._prompts.get(str(full)) is not None:
                # Not RESOURCE_ALREADY_EXISTS, as for models: at this code mlflow's `register_prompt` goes on to the next version.
                raise ApiError(409, "ALREADY_EXISTS", f"Prompt '{full}' already exists.")
            now = self._now()
            return self._prompts.put(str(full), Prompt(str(full), now, now, description, dict(tags)))

    def get(self, name: str) -> Prompt:
        """Return a prompt, or raise the registry's 404."""
        full = FullName.parse(name, "prompt")
        found = self._prompts.get(str(full))
        if found is None:
            raise missing(f"Prompt '{full}'")
        return found

    def prompts(self, catalog: str, schema: str) -> list[Prompt]:
        """Return the prompts of a schema, in name order."""
        return self._prompts.list(f"{catalog}.{schema}.")

    def describe(self, name: str, description: str) -> Prompt:
        """Change the description of a prompt."""
        with self._prompts.transaction():
            return self._put(replace(self.get(name), description=description))

    def delete(self, name: str) -> None:
        """Remove a prompt without versions; mlflow says of those with versions that these must go first."""
        with self._prompts.transaction():
            found = self.get(name)
            if self.versions(found.name):
                raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Prompt '{found.name}' still has versions; delete them first.")
            self._prompts.delete(found.name)

    def drop(self, name: str) -> None:
        """Remove a prompt and its versions, with the schema that holds it."""
        with self._prompts.transaction():
            for version in self.versions(name):
                self._versions.delete(rules.version_key(version.name, version.version))
            self.delete(name)

    def change_tags(self, name: str, add: Mapping[str, str], remove: Collection[str] = ()) -> None:
        """Set some tags of a prompt and remove others, if it has them."""
        with self._prompts.transaction():
            found = self.get(name)
            self._put(replace(found, tags=rules.changed_tags(found.tags, add, remove)))

    def create_version(self, name: str, *, template: str, description: str, tags: Mapping[str, str]) -> PromptVersion:
        """Make the next version of a prompt."""
        with self._prompts.transaction():
            found = self._put(replace(self.get(name), last_version=self.get(name).last_version + 1))
            now = self._now()
            made = PromptVersion(found.name, str(found.last_version), now, now, template, description, dict(tags))
            return self._put_version(made)

    def version(self, name: str, version: str) -> PromptVersion:
        """Return a version, or raise the registry's 404 for it or its prompt."""
        prompt = self.get(name)
        found = self._versions.get(rules.version_key(prompt.name, version))
        if found is None:
            raise missing(f"Prompt version (name={prompt.name}, version={version})")
        return found

    def versions(self, name: str) -> list[PromptVersion]:
        """Return the versions of a prompt, oldest first."""
        return self._versions.list(f"{self.get(name).name}/")

    def describe_version(self, name: str, version: str, description: str) -> PromptVersion:
        """Change the description of a version."""
        with self._versions.transaction():
            return self._put_version(replace(self.version(name, version), description=description))

    def delete_version(self, name: str, version: str) -> None:
        """Remove a version, and the aliases that point at it."""
        with self._prompts.transaction():
            found, prompt = self.version(name, version), self.get(name)
            self._put(replace(prompt, aliases={a: v for a, v in prompt.aliases.items() if v != found.version}))
            self._versions.delete(rules.version_key(found.name, found.version))

    def change_version_tags(self, name: str, version: str, add: Mapping[str, str], *, remove: Collection[str] = ()) -> None:
        """Set some tags of a version and remove others, if it has them."""
        with self._versions.transaction():
            found = self.version(name, version)
            self._put_version(replace(found, tags=rules.changed_tags(found.tags, add, remove)))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Point an alias at a version that exists, wherever it pointed before."""
        with self._prompts.transaction():
            found, target = self.get(name), self.version(name, version)
            self._put(replace(found, aliases={**found.aliases, rules.check_alias(alias): target.version}))

    def delete_alias(self, name: str, alias: str) -> None:
        """Remove an alias, if the prompt has it."""
        with self._prompts.transaction():
            found = self.get(name)
            self._put(replace(found, aliases={a: v for a, v in found.aliases.items() if a != alias}))

    def by_alias(self, name: str, alias: str) -> PromptVersion:
        """Return the version an alias points at, or raise the registry's 404."""
        found = self.get(name)
        if alias not in found.aliases:
            raise missing(f"Alias '{alias}' of prompt '{found.name}'")
        return self.version(name, found.aliases[alias])

    def follow(self, origin: str, target: str) -> None:
        """Call the prompts of a schema or a catalog by a new name; ids, numbers and times stay."""
        for found in self._prompts.list(origin):
            if name := moved(found.name, origin, target):
                self._prompts.delete(found.name)
                self._prompts.put(name, replace(found, name=name))
        for version in self._versions.list(origin):
            if name := moved(version.name, origin, target):
                self._versions.delete(rules.version_key(version.name, version.version))
                self._versions.put(rules.version_key(name, version.version), replace(version, name=name))

    def _put(self, prompt: Prompt) -> Prompt:
        return self._prompts.put(prompt.name, replace(prompt, last_updated_timestamp=self._now()))

    def _put_version(self, version: PromptVersion) -> PromptVersion:
        key = rules.version_key(version.name, version.version)
        return self._versions.put(key, replace(version, last_updated_timestamp=self._now()))

    def _now(self) -> int:
        return millis(self._clock.now())
