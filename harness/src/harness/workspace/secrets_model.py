"""Secret scopes and secrets as data, and what the platform accepts of them. Pure."""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.errors import ApiError

Permission = Literal["MANAGE", "WRITE", "READ"]

# docs.databricks.com/aws/en/security/secrets: names, sizes and numbers ('@' is allowed by the guide, not mentioned by the API's reference)
_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,128}")
MAX_VALUE_BYTES = 128 * 1024
MAX_SECRETS = 1000
MAX_SCOPES = 1000


@dataclass(frozen=True, slots=True)
class Acl:
    """Who may do what with a scope: recorded and shown, not enforced."""

    principal: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class SecretScope:
    """A scope; `name` is spelled as it was created."""

    name: str
    acls: list[Acl] = field(default_factory=list)
    creator: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret; its value is in no `repr`, so in no log."""

    key: str
    last_updated_timestamp: int
    value: bytes = field(repr=False)


def invalid(message: str) -> ApiError:
    """Return the platform's 400 (Assumption: its wordings for names and values that are not allowed are ours)."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def check_name(what: str, name: str) -> None:
    """Raise unless a scope or a key may be called `name`."""
    if not _NAME.fullmatch(name):
        raise invalid(f"{what} '{name}' is not valid: letters, digits, '-', '_', '.' and '@', at most 128 characters")


def scope_key(scope: str) -> str:
    """Return the document key of a scope: docs.databricks.com/aws/en/security/secrets: scope names are case insensitive."""
    return scope.lower()


def secret_key(scope: str, key: str) -> str:
    """Return the document key of a secret: names of secrets are case insensitive too. No name contains a slash."""
    return f"{scope.lower()}/{key.lower()}"


def value_of(string_value: str | None, bytes_value: str | None) -> bytes:
    """Return the value that a client puts: exactly one of text and base64, and not too large."""
    if (string_value is None) == (bytes_value is None):
        raise ApiError(400, "MALFORMED_REQUEST", "Exactly one of string_value and bytes_value must be given")
    try:
        value = string_value.encode() if string_value is not None else b64decode(bytes_value or "", validate=True)
    except (Base64Error, ValueError) as error:  # the error names the position, never the value
        raise invalid("bytes_value is not base64") from error
    if len(value) > MAX_VALUE_BYTES:
        raise invalid(f"The value has {len(value)} bytes; a secret has at most {MAX_VALUE_BYTES}")
    return value


def with_acl(scope: SecretScope, acl: Acl) -> SecretScope:
    """Return `scope` with what `acl` says of its principal, and only that."""
    return replace(scope, acls=[*without_acl(scope, acl.principal).acls, acl])


def without_acl(scope: SecretScope, principal: str) -> SecretScope:
    """Return `scope` with nothing said of `principal`."""
    return replace(scope, acls=[acl for acl in scope.acls if acl.principal != principal])
