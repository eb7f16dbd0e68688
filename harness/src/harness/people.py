"""Who is in the workspace, in the words of SCIM: the user it belongs to, the service principal of every harness, one group. Pure.

Names: databricks-sdk, `databricks.sdk.service.iam`; docs.databricks.com/api/workspace/users.
"""

import hashlib
import re
from collections.abc import Sequence
from uuid import UUID

from harness.config import SERVICE_PRINCIPAL_ID, SERVICE_PRINCIPAL_NAME, USER_NAME, WORKSPACE_ID
from harness.errors import NotEmulated, UserError

Person = dict[str, object]
GROUP_ID = "1"
_GROUP = {"display": "users", "value": GROUP_ID, "type": "direct", "$ref": f"Groups/{GROUP_ID}"}
_EMAIL = re.compile(r"[^@\s/\\]+@[^@\s/\\]+")
_FILTER = re.compile(r"""\s*(?P<field>\w+)\s+eq\s+(?P<quote>["']?)(?P<value>.*?)(?P=quote)\s*""", re.IGNORECASE)


def checked_user(name: str) -> str:
    """Return `name` if a workspace can be its: an email address, or a service principal's application id."""
    if _EMAIL.fullmatch(name) is None and not is_principal(name):
        raise UserError(f"--user {name}: expected an email address, or the application id of a service principal (a UUID)")
    return name


def is_principal(name: str) -> bool:
    """Return whether `name` is an application id."""
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False


def scim(name: str) -> Person:
    """Return a caller as `Me` shows one. A service principal's user name is its application id."""
    body: Person = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": _id(name),
        "userName": name,
        "active": True,
        "groups": [_GROUP],
    }
    if is_principal(name):  # Assumption: it has no email address
        return {**body, "displayName": _display(name)}
    emails = [{"value": name, "type": "work", "primary": True}]
    return {**body, "displayName": _display(name), "name": {"givenName": _display(name)}, "emails": emails}


def users(name: str) -> list[Person]:
    """Return the users of a workspace that is `name`'s."""
    return [] if is_principal(name) else [scim(name)]


def principals(name: str) -> list[Person]:
    """Return the service principals of a workspace that is `name`'s."""
    every = dict.fromkeys([SERVICE_PRINCIPAL_ID, *([name] if is_principal(name) else [])])
    return [_principal(each) for each in every]


def groups(name: str) -> list[Person]:
    """Return the groups of a workspace that is `name`'s: everybody is in the one there is."""
    members = [{"display": person["displayName"], "value": person["id"]} for person in (*users(name), *principals(name))]
    schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"]
    return [{"schemas": schemas, "id": GROUP_ID, "displayName": "users", "members": members, "meta": {"resourceType": "WorkspaceGroup"}}]


def filtered(people: Sequence[Person], text: str) -> list[Person]:
    """Return those whom a SCIM filter lets through; only `attribute eq "value"` is known here."""
    if not text:
        return list(people)
    match = _FILTER.fullmatch(text)
    if match is None:
        raise NotEmulated(f"SCIM filter {text!r} (only: attribute eq value)")
    field, value = match["field"].lower(), match["value"].lower()  # RFC 7644, 3.4.2.2: neither names nor these values heed case
    return [one for one in people if any(key.lower() == field and str(found).lower() == value for key, found in one.items())]


def _principal(name: str) -> Person:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServicePrincipal"],
        "id": _id(name),
        "applicationId": name,
        "displayName": _display(name),
        "active": True,
        "groups": [_GROUP],
    }


def _display(name: str) -> str:
    if name == SERVICE_PRINCIPAL_ID:
        return SERVICE_PRINCIPAL_NAME
    return name if is_principal(name) else name.partition("@")[0]


def _id(name: str) -> str:
    if name == USER_NAME:
        return WORKSPACE_ID
    if is_principal(name):
        return str(UUID(name).int % 10**15)
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % 10**15)
