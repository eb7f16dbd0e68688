"""Registered models and their versions: records and rules. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from harness.errors import ApiError
from harness.names import FullName

Status = Literal["PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"]

# mlflow's client adds a hint when it sees this text.
_THREE_LEVELS = "Bad model name: please specify all three levels of the model in the form `catalog_name.schema_name.model_name`"
# mlflow's client refuses the same (mlflow.utils.validation); other clients must not get round it.
_RESERVED_ALIAS = re.compile(r"(latest|v\d+)", re.IGNORECASE)
_ALIAS = re.compile(r"[\w-]{1,255}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}")
_CLAUSE = re.compile(r"\s*(\w+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\")\s*")
_FOREVER = 4102444800000  # 2100-01-01: credentials of DEFAULT_STORAGE carry no secret that could expire
_SEARCHABLE = frozenset({"name", "run_id", "version_number"})


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model of the registry. `last_version` only grows: the number of a deleted version never comes back."""

    name: str
    registered_model_id: str
    user_id: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    last_version: int = 0
    deployment_job_id: str = ""
    owner: str = ""
    """Empty: who made it."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a model; its files lie in the Files API under `storage_location`."""

    name: str
    version: str
    version_id: str
    user_id: str
    creation_timestamp: int
    last_updated_timestamp: int
    source: str = ""
    run_id: str = ""
    run_tracking_server_id: str = ""
    description: str = ""
    model_id: str = ""
    status: Status = "PENDING_REGISTRATION"
    tags: dict[str, str] = field(default_factory=dict)
    deployment_job_id: str = ""
    deployment_run_id: str = ""

    @classmethod
    def asked(cls, name: str, *, user: str, tags: Mapping[str, str], **told: str) -> Self:
        """Return a version as a client asks for it: the registry fills in its number, ids and times."""
        return cls(name, "", "", user, 0, 0, tags=dict(tags), **told)  # type: ignore[arg-type]  # every other field is text

    @property
    def storage_location(self) -> str:
        """Where clients of the Files API find the version's files."""
        return "/".join(("/Models", *self.name.split("."), self.version))


def model_name(text: str) -> FullName:
    """Return the three levels of a model's name, or raise the registry's own 400."""
    if text.count(".") != 2:
        raise ApiError(400, "INVALID_PARAMETER_VALUE", _THREE_LEVELS)
    return FullName.parse(text, "model")


def renamed(name: str, new_name: str) -> str:
    """Return the last part of the new full name of a model; raise the registry's error when the others are not as they were."""
    old, new = model_name(name), model_name(new_name)
    if (new.catalog, new.schema) != (old.catalog, old.schema):
        message = f"Registered Model '{old}' cannot be renamed to '{new}': it stays in its schema"  # Assumption: so, and the wording
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return new.name


def version_key(name: str, version: str) -> str:
    """Return the key under which a version is kept: versions of one model sort by number."""
    if not _NUMBER.fullmatch(version):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Model version {version!r} is not a whole number")
    return f"{name}/{int(version):010d}"


def default_storage() -> dict[str, object]:
    """Return the credentials of a version's files: none, for they go through the Files API, which the platform calls default storage."""
    return {"storage_mode": "DEFAULT_STORAGE", "expiration_time": _FOREVER}


def changed_tags(tags: Mapping[str, str], add: Mapping[str, str], remove: Collection[str]) -> dict[str, str]:
    """Return `tags` with some set and others removed.

    >>> changed_tags({"a": "1", "b": "2"}, {"c": "3"}, ["b", "not there"])
    {'a': '1', 'c': '3'}
    """
    return {key: value for key, value in tags.items() if key not in remove} | dict(add)


def check_alias(alias: str) -> str:
    """Return `alias`, or raise the registry's 400 for one that cannot be."""
    if _RESERVED_ALIAS.fullmatch(alias) or not _ALIAS.fullmatch(alias):
        message = f"'{alias}' is not a valid alias: letters, digits, '_' and '-' only; 'latest' and 'v<number>' are reserved"
        raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
    return alias


def version_filter(text: str) -> dict[str, str]:
    """Return what a search asks for, by field.

    >>> version_filter("name='main.ml.fares' and run_id='abc'")
    {'name': 'main.ml.fares', 'run_id': 'abc'}
    """
    wanted: dict[str, str] = {}
    for clause in re.split(r"\s+and\s+", text.strip(), flags=re.IGNORECASE) if text.strip() else []:
        found = _CLAUSE.fullmatch(clause)
        if found is None or found[1] not in _SEARCHABLE:
            allowed = ", ".join(sorted(_SEARCHABLE))
            message = f"Unsupported filter {clause!r}; supported: <key> = '<value>' joined by AND, with one of the keys {allowed}"
            raise ApiError(400, "INVALID_PARAMETER_VALUE", message)
        wanted[found[1]] = found[2] if found[2] is not None else found[3]
    return wanted


def matching(versions: Iterable[ModelVersion], wanted: Mapping[str, str]) -> list[ModelVersion]:
    """Return the versions a search asks for, newest version of each model first."""
    # Assumption: the order is not documented for Unity Catalog; newest first is what the open-source registry answers.
    tests = {"name": "name", "run_id": "run_id", "version_number": "version"}
    found = [each for each in versions if all(getattr(each, tests[key]) == value for key, value in wanted.items())]
    return sorted(found, key=newest_first)


def newest_first(version: ModelVersion) -> str:
    """Return what versions are listed by: models by name, the newest version of each first."""
    return f"{version.name}\0{10**18 - int(version.version):019d}"
