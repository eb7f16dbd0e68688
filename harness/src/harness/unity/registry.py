"""The model registry of Unity Catalog: one store behind both of its dialects."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.ids import Ids
from harness.names import moved
from harness.state import Documents, Store
from harness.unity import deployments
from harness.unity import registry_model as rules
from harness.unity.folders import Folders, remove
from harness.unity.ports import DeploymentJobs, LoggedModel, LoggedModels, ModelsChanged
from harness.unity.registry_model import ModelVersion, RegisteredModel, version_key

MODEL_FILE = "MLmodel"
_NO_TAGS: Mapping[str, str] = {}


class ModelRegistry:
    """Models, versions, aliases and tags. A version is PENDING_REGISTRATION until its files are there and it is finalized."""

    def __init__(
        self,
        *,
        root: Path,
        folders: Folders,
        clock: Clock,
        ids: Ids,
        store: Store,
        on_change: ModelsChanged,
        logged: LoggedModels,
        jobs: DeploymentJobs,
    ) -> None:
        """`logged` tells what was logged of a model that a version was registered from.

        `on_change` is told when a name may stand for another model than before: an alias, a version that is gone.
        """
        self._root = root
        self._folders = folders
        self._clock = clock
        self._ids = ids
        self._on_change = on_change
        self._logged = logged
        self._jobs = jobs
        self._models = Documents(store, "registered_model", RegisteredModel)
        self._versions = Documents(store, "model_version", ModelVersion)

    def create(
        self, name: str, *, user: str, description: str = "", tags: Mapping[str, str] = _NO_TAGS, deployment_job_id: str = ""
    ) -> RegisteredModel:
        """Make a model in a schema that exists."""
        full = rules.model_name(name)
        self._folders.schema(full.catalog, full.schema)
        with self._models.transaction():
            self.require_free(str(full))
            now = self._now()
            made = RegisteredModel(
                str(full), self._ids.uuid(), user, now, now, description, dict(tags), deployment_job_id=deployment_job_id
            )
            return self._models.put(made.name, made)

    def get(self, name: str) -> RegisteredModel:
        """Return a model, or raise the registry's 404."""
        full = rules.model_name(name)
        found = self._models.get(str(full))
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Registered Model '{full}' does not exist.")
        return found

    def models(self, catalog: str = "", schema: str = "") -> list[RegisteredModel]:
        """Return the models of the registry, of one catalog, or of one schema."""
        return self._models.list("".join(f"{part}." for part in (catalog, schema) if part))

    def require_free(self, name: str) -> None:
        """Raise the registry's 409 when there is a model of this name."""
        if self._models.get(name) is not None:
            raise ApiError(409, "RESOURCE_ALREADY_EXISTS", f"Registered Model '{name}' already exists.")

    def touch(self, name: str) -> RegisteredModel:
        """Note that a model changed now."""
        with self._models.transaction():
            return self._put(self.get(name))

    def describe(self, name: str, description: str) -> RegisteredModel:
        """Change the description of a model."""
        with self._models.transaction():
            return self._put(replace(self.get(name), description=description))

    def connect(self, name: str, deployment_job_id: str) -> RegisteredModel:
        """Let a job run for each version from now on; none when its id is empty."""
        with self._models.transaction():
            return self._put(replace(self.get(name), deployment_job_id=deployment_job_id))

    def change_owner(self, name: str, owner: str) -> RegisteredModel:
        """Make `owner` the owner of a model."""
        if not owner:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Registered Model '{name}': owner must not be empty")
        with self._models.transaction():
            return self._put(replace(self.get(name), owner=owner))

    def delete(self, name: str) -> None:
        """Remove a model, its versions and their files."""
        with self._models.transaction():
            found = self.get(name)
            for version in self.versions(name):
                self._versions.delete(version_key(version.name, version.version))
            self._models.delete(found.name)
        self._on_change()
        remove(self._root.joinpath(*found.name.split(".")))

    def change_tags(self, name: str, add: Mapping[str, str], remove: Collection[str] = ()) -> RegisteredModel:
        """Set some tags of a model and remove others, if it has them."""
        with self._models.transaction():
            found = self.get(name)
            return self._put(replace(found, tags=rules.changed_tags(found.tags, add, remove)))

    def set_alias(self, name: str, alias: str, version: str) -> RegisteredModel:
        """Point an alias at a version that exists, wherever it pointed before."""
        # Assumption: aliases are kept as written and told apart by case, as the open-source registry does.
        with self._models.transaction():
            found = self.get(name)
            target = self.version(name, version)
            changed = self._put(replace(found, aliases={**found.aliases, rules.check_alias(alias): target.version}))
        self._on_change()
        return changed

    def delete_alias(self, name: str, alias: str) -> RegisteredModel:
        """Remove an alias, if the model has it."""
        with self._models.transaction():
            found = self.get(name)
            changed = self._put(replace(found, aliases={a: v for a, v in found.aliases.items() if a != alias}))
        self._on_change()
        return changed

    def by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version an alias points at, or raise the registry's 404."""
        found = self.get(name)
        if alias not in found.aliases:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Alias '{alias}' does not exist for registered model '{found.name}'.")
        return self.version(name, found.aliases[alias])

    def create_version(self, asked: ModelVersion) -> ModelVersion:
        """Make the next version of a model; number, ids and times of `asked` are filled in here."""
        with self._models.transaction():
            found = self.get(asked.name)
            number, now = found.last_version + 1, self._now()
            self._put(replace(found, last_version=number))
            made = replace(
                asked,
                name=found.name,
                version=str(number),
                version_id=self._ids.uuid(),
                creation_timestamp=now,
                last_updated_timestamp=now,
                status="PENDING_REGISTRATION",
            )
            self._files(made).mkdir(parents=True, exist_ok=True)
            return self._versions.put(version_key(made.name, made.version), made)

    def version(self, name: str, version: str) -> ModelVersion:
        """Return a version, or raise the registry's 404 for it or its model."""
        model = self.get(name)
        found = self._versions.get(version_key(model.name, version))
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Model Version (name={model.name}, version={version}) does not exist.")
        return found

    def versions(self, name: str) -> list[ModelVersion]:
        """Return the versions of a model, oldest first."""
        return self._versions.list(f"{self.get(name).name}/")

    def search_versions(self, filter_text: str) -> list[ModelVersion]:
        """Return the versions a filter asks for, newest version of each model first."""
        return rules.matching(self._versions.list(), rules.version_filter(filter_text))

    def finalize(self, name: str, version: str) -> ModelVersion:
        """Make a version READY; its files must be there."""
        with self._versions.transaction():
            found = self.version(name, version)
            # Assumption: the platform refuses a version without a model; READY must mean that it can be loaded.
            if not (self._files(found) / MODEL_FILE).is_file():
                message = f"Model Version (name={found.name}, version={found.version}) has no {MODEL_FILE}; upload it before finalizing"
                raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
            ready = self._put_version(replace(found, status="READY"))
        return ready if found.status == "READY" else self._deployed(ready)

    def describe_version(self, name: str, version: str, description: str) -> ModelVersion:
        """Change the description of a version."""
        with self._versions.transaction():
            return self._put_version(replace(self.version(name, version), description=description))

    def change_version_tags(self, name: str, version: str, add: Mapping[str, str], *, remove: Collection[str] = ()) -> ModelVersion:
        """Set some tags of a version and remove others, if it has them."""
        with self._versions.transaction():
            found = self.version(name, version)
            return self._put_version(replace(found, tags=rules.changed_tags(found.tags, add, remove)))

    def delete_version(self, name: str, version: str) -> None:
        """Remove a version, its files, and the aliases that point at it."""
        with self._models.transaction():
            found = self.version(name, version)
            model = self.get(name)
            self._put(replace(model, aliases={a: v for a, v in model.aliases.items() if v != found.version}))
            self._versions.delete(version_key(found.name, found.version))
        self._on_change()
        remove(self._files(found))

    def files(self, name: str, version: str) -> Path:
        """Return the folder of a version that exists (ready or not), or raise the registry's 404."""
        return self._files(self.version(name, version))

    def deployment_state(self, model: RegisteredModel) -> deployments.Connection:
        """Return how a model stands to its deployment job."""
        job_id = model.deployment_job_id
        return deployments.connection(job_id, self._jobs.parameters(job_id) if job_id else None)

    def deployment(self, version: ModelVersion) -> dict[str, object]:
        """Return the field that tells of the job that ran for a version: none for a version that had no job when it was made."""
        job_id, run_id = version.deployment_job_id, version.deployment_run_id
        if not job_id:
            return {}
        state, task = deployments.run_state(self._jobs.run(run_id) if run_id else None)
        connection = deployments.connection(job_id, self._jobs.parameters(job_id))
        told = {"job_id": job_id, "run_id": run_id, "job_state": connection, "run_state": state, "current_task_name": task}
        return {"deployment_job_state": told}

    def logged(self, version: ModelVersion) -> LoggedModel:
        """Return the parameters and metrics of the logged model that a version was registered from, as they are now."""
        # Assumption: a version that was registered from a run's files, not from a logged model, shows none.
        return self._logged(version.model_id) if version.model_id else LoggedModel()

    def _deployed(self, version: ModelVersion) -> ModelVersion:
        """Begin the deployment job of a version that has become ready, as the model's owner."""
        model = self.get(version.name)
        if not model.deployment_job_id:
            return version
        run_id = ""
        if self.deployment_state(model) == "CONNECTED":
            told = deployments.job_parameters(version.name, version.version)
            run_id = self._jobs.start(model.deployment_job_id, told, model.user_id)
        with self._versions.transaction():
            now = self.version(version.name, version.version)
            return self._put_version(replace(now, deployment_job_id=model.deployment_job_id, deployment_run_id=run_id))

    def _files(self, version: ModelVersion) -> Path:
        return self._root.joinpath(*version.name.split("."), version.version)

    def follow(self, origin: str, target: str) -> None:
        """Call a model, or the models of a schema or a catalog, by a new name; ids, numbers and times stay."""
        for found in self._models.list(origin):
            if name := moved(found.name, origin, target):
                self._models.delete(found.name)
                self._models.put(name, replace(found, name=name))
        for version in self._versions.list(origin):
            if name := moved(version.name, origin, target):
                self._versions.delete(version_key(version.name, version.version))
                self._versions.put(version_key(name, version.version), replace(version, name=name))
        self._on_change()

    def _put(self, model: RegisteredModel) -> RegisteredModel:
        return self._models.put(model.name, replace(model, last_updated_timestamp=self._now()))

    def _put_version(self, version: ModelVersion) -> ModelVersion:
        return self._versions.put(version_key(version.name, version.version), replace(version, last_updated_timestamp=self._now()))

    def _now(self) -> int:
        return millis(self._clock.now())
