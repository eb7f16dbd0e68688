"""Tags on catalogs, schemas, tables, columns and volumes: keys with values, which may be empty."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import Clock, millis
from harness.errors import ApiError
from harness.state import Documents, Store

IdOf = Callable[[str, str], str]
"""What tags of an entity of a kind (`tables`) and full name are kept by; raises the platform's errors for one that is not there."""

# docs.databricks.com/aws/en/database-objects/tags: constraints
MAX_TAGS = 50
MAX_KEY = 255
MAX_VALUE = 1000
REFUSED_IN_KEYS = ".,-=/:"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag; keys are told apart by case."""

    key: str
    value: str
    updated_at: int
    updated_by: str


@dataclass(frozen=True, slots=True)
class _Tagged:
    tags: dict[str, Tag] = field(default_factory=dict)


class Tags:
    """Tags by the id of what they are on: they follow it when it is renamed, and go with it."""

    def __init__(self, *, store: Store, clock: Clock, user: str, id_of: IdOf) -> None:
        self._tagged = Documents(store, "tags", _Tagged)
        self._clock = clock
        self._user = user
        self._id_of = id_of

    def list(self, kind: str, name: str) -> Sequence[Tag]:
        """Return the tags of an entity, in the order of their keys."""
        return self.of(self._id_of(kind, name))

    def of(self, entity: str) -> Sequence[Tag]:
        """Return the tags kept by an id, in the order of their keys."""
        return sorted(self._of(entity).values(), key=lambda tag: tag.key)

    def get(self, kind: str, name: str, key: str) -> Tag:
        """Return one tag of an entity, or raise the platform's 404."""
        found = self._of(self._id_of(kind, name)).get(key)
        if found is None:
            raise _missing(kind, name, key)
        return found

    def set(self, kind: str, name: str, values: Mapping[str, str], *, new: bool = False) -> None:
        """Put tags on an entity, all or none; a key that is there gets the new value, or is refused when the tags must be `new`."""
        for key, value in values.items():
            _check(key, value)
        entity = self._id_of(kind, name)
        with self._tagged.transaction():
            held = self._of(entity)
            there = sorted(set(held) & set(values))
            if new and there:
                raise ApiError(409, "ALREADY_EXISTS", f"Tag '{there[0]}' is already assigned to {kind} '{name}'")
            now = millis(self._clock.now())
            after = held | {key: Tag(key, value, now, self._user) for key, value in values.items()}
            if len(after) > MAX_TAGS:
                raise _invalid(f"{kind} '{name}' would have {len(after)} tags; at most {MAX_TAGS} are allowed")
            self._tagged.put(entity, _Tagged(after))

    def unset(self, kind: str, name: str, keys: Iterable[str], *, known: bool = False) -> None:
        """Take tags off an entity; a key that is not there is refused when the tags must be `known`."""
        entity, gone = self._id_of(kind, name), list(keys)
        with self._tagged.transaction():
            held = self._of(entity)
            absent = [key for key in gone if key not in held]
            if known and absent:
                raise _missing(kind, name, absent[0])
            self._tagged.put(entity, _Tagged({key: tag for key, tag in held.items() if key not in gone}))

    def _of(self, entity: str) -> dict[str, Tag]:
        return (self._tagged.get(entity) or _Tagged()).tags


def _check(key: str, value: str) -> None:
    if not key or len(key) > MAX_KEY or key != key.strip() or any(each in REFUSED_IN_KEYS or not each.isprintable() for each in key):
        rule = f"1 to {MAX_KEY} characters, none of {' '.join(REFUSED_IN_KEYS)}, no space at either end"
        raise _invalid(f"Tag key {key!r} is not valid: {rule}")
    if len(value) > MAX_VALUE or value != value.strip():
        raise _invalid(f"The value of tag '{key}' is not valid: at most {MAX_VALUE} characters, no space at either end")


# Assumption: the wording of these, and the codes beside the documented constraints.
def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def _missing(kind: str, name: str, key: str) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"Tag '{key}' is not assigned to {kind} '{name}'")
