"""Prompts of Unity Catalog and their versions: records and rules. Pure."""

from dataclasses import dataclass, field

from harness.errors import ApiError


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt. `last_version` only grows: the number of a deleted version never comes back."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    last_version: int = 0


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """One version of a prompt; its template never changes."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    template: str
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def missing(what: str) -> ApiError:
    """Return the registry's 404."""
    return ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist.")
