"""HTTP of secrets."""

from base64 import b64encode
from dataclasses import asdict

import msgspec

from harness.http import AnyRoute, Call, Route
from harness.workspace import secrets_model as model
from harness.workspace.secrets import SecretsService
from harness.workspace.secrets_model import Acl, Permission

_DOC = "https://docs.databricks.com/api/workspace/secrets"
_PATH = "/api/2.0/secrets"


class _CreateScope(msgspec.Struct):
    scope: str
    initial_manage_principal: str | None = None
    scope_backend_type: str = "DATABRICKS"


class _Scope(msgspec.Struct):
    scope: str


class _Key(msgspec.Struct):
    scope: str
    key: str


class _Put(msgspec.Struct):
    scope: str
    key: str
    string_value: str | None = None
    bytes_value: str | None = None


class _Principal(msgspec.Struct):
    scope: str
    principal: str


class _PutAcl(msgspec.Struct):
    scope: str
    principal: str
    permission: Permission


def routes(service: SecretsService) -> list[AnyRoute]:
    """Return the routes that `service` answers."""
    return [*_scope_routes(service), *_secret_routes(service), *_acl_routes(service)]


def _scope_routes(service: SecretsService) -> list[AnyRoute]:
    def create(call: Call) -> object:
        asked = call.json(_CreateScope)
        if asked.initial_manage_principal not in {None, "users"}:
            raise model.invalid("initial_manage_principal: only the group 'users' is supported")  # as documented
        manager = asked.initial_manage_principal or call.user
        service.create_scope(asked.scope, backend=asked.scope_backend_type, manager=manager, creator=call.user)
        return {}

    def list_(call: Call) -> object:
        scopes = [{"name": scope.name, "backend_type": "DATABRICKS"} for scope in service.scopes() if call.shows(scope.creator)]
        return {"scopes": scopes} if scopes else {}

    def delete(call: Call) -> object:
        service.delete_scope(call.json(_Scope).scope)
        return {}

    return [
        Route("POST", f"{_PATH}/scopes/create", create, f"{_DOC}/createscope"),
        Route("GET", f"{_PATH}/scopes/list", list_, f"{_DOC}/listscopes"),
        Route("POST", f"{_PATH}/scopes/delete", delete, f"{_DOC}/deletescope"),
    ]


def _secret_routes(service: SecretsService) -> list[AnyRoute]:
    def put(call: Call) -> object:
        asked = call.json(_Put)
        service.put(asked.scope, asked.key, model.value_of(asked.string_value, asked.bytes_value))
        return {}

    def get(call: Call) -> object:
        # The platform answers this inside of a workspace (dbutils) and to clients that play dbutils, which are not told apart.
        secret = service.get(call.require("scope"), call.require("key"))
        return {"key": secret.key, "value": b64encode(secret.value).decode()}

    def list_(call: Call) -> object:
        secrets = [{"key": one.key, "last_updated_timestamp": one.last_updated_timestamp} for one in service.secrets(call.require("scope"))]
        return {"secrets": secrets} if secrets else {}

    def delete(call: Call) -> object:
        asked = call.json(_Key)
        service.delete(asked.scope, asked.key)
        return {}

    return [
        Route("POST", f"{_PATH}/put", put, f"{_DOC}/putsecret"),
        Route("GET", f"{_PATH}/get", get, f"{_DOC}/getsecret"),
        Route("GET", f"{_PATH}/list", list_, f"{_DOC}/listsecrets"),
        Route("POST", f"{_PATH}/delete", delete, f"{_DOC}/deletesecret"),
    ]


def _acl_routes(service: SecretsService) -> list[AnyRoute]:
    def put(call: Call) -> object:
        asked = call.json(_PutAcl)
        service.put_acl(asked.scope, Acl(asked.principal, asked.permission))
        return {}

    def get(call: Call) -> object:
        return asdict(service.acl(call.require("scope"), call.require("principal")))

    def list_(call: Call) -> object:
        return {"items": [asdict(acl) for acl in service.scope(call.require("scope")).acls]}

    def delete(call: Call) -> object:
        asked = call.json(_Principal)
        service.delete_acl(asked.scope, asked.principal)
        return {}

    return [
        Route("POST", f"{_PATH}/acls/put", put, f"{_DOC}/putacl"),
        Route("GET", f"{_PATH}/acls/get", get, f"{_DOC}/getacl"),
        Route("GET", f"{_PATH}/acls/list", list_, f"{_DOC}/listacls"),
        Route("POST", f"{_PATH}/acls/delete", delete, f"{_DOC}/deleteacl"),
    ]
