"""Secrets: scopes, their values and who may read them."""

from collections.abc import Sequence

from harness.clock import Clock, millis
from harness.errors import ApiError, NotEmulated
from harness.state import Documents, Store
from harness.workspace import secrets_model as model
from harness.workspace.secrets_model import Acl, Secret, SecretScope


class SecretsService:
    """Scopes and secrets in the store, as plain as the platform's caller sees them; whoever may read the state folder can read them.

    Access control lists are recorded, not enforced: every caller of the harness may do everything.
    """

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._scopes = Documents(store, "secret_scope", SecretScope)
        self._secrets = Documents(store, "secret", Secret)
        self._clock = clock

    def value(self, scope: str, key: str) -> str:
        """Return the text of a secret (what `{{secrets/scope/key}}` stands for); `ApiError` 404 when there is none."""
        try:
            return self.get(scope, key).value.decode()
        except UnicodeDecodeError as error:
            raise model.invalid(f"Secret with scope: {scope} and key: {key} is not text") from error

    def create_scope(self, name: str, *, backend: str, manager: str, creator: str = "") -> None:
        """Make an empty scope that `manager` manages."""
        model.check_name("Scope name", name)
        if backend != "DATABRICKS":
            raise NotEmulated(f"secret scope with scope_backend_type {backend}")
        with self._scopes.transaction():
            if self._scopes.get(model.scope_key(name)) is not None:
                # Wording: github.com/databricks/databricks-cli/issues/340; the status: libs/testserver of github.com/databricks/cli
                raise ApiError(400, "RESOURCE_ALREADY_EXISTS", f"Scope {name} already exists!")
            if len(self._scopes.list()) >= model.MAX_SCOPES:
                raise _too_many(f"A workspace has at most {model.MAX_SCOPES} secret scopes")
            self._scopes.put(model.scope_key(name), SecretScope(name, [Acl(manager, "MANAGE")], creator))

    def scopes(self) -> Sequence[SecretScope]:
        """Return the scopes, by name."""
        return self._scopes.list()

    def delete_scope(self, name: str) -> None:
        """Remove a scope with everything in it."""
        with self._scopes.transaction():
            for secret in self.secrets(name):
                self._secrets.delete(model.secret_key(name, secret.key))
            self._scopes.delete(model.scope_key(name))

    def delete_of(self, creator: str) -> None:
        """Remove the scopes of `creator`."""
        for scope in self.scopes():
            if scope.creator == creator:
                self.delete_scope(scope.name)

    def put(self, scope: str, key: str, value: bytes) -> None:
        """Write a secret, over what was there."""
        model.check_name("Secret key", key)
        with self._secrets.transaction():
            others = self.secrets(scope)
            if len(others) >= model.MAX_SECRETS and key.lower() not in {secret.key.lower() for secret in others}:
                raise _too_many(f"Scope {scope} has {len(others)} secrets; at most {model.MAX_SECRETS} are allowed")
            self._secrets.put(model.secret_key(scope, key), Secret(key, millis(self._clock.now()), value))

    def get(self, scope: str, key: str) -> Secret:
        """Return a secret."""
        self.scope(scope)
        secret = self._secrets.get(model.secret_key(scope, key))
        if secret is None:
            # Wording: what `dbutils.secrets.get` raises, seen in many projects
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Secret does not exist with scope: {scope} and key: {key}")
        return secret

    def secrets(self, scope: str) -> Sequence[Secret]:
        """Return the secrets of a scope, by key."""
        self.scope(scope)
        return self._secrets.list(model.secret_key(scope, ""))

    def delete(self, scope: str, key: str) -> None:
        """Remove a secret."""
        with self._secrets.transaction():
            self.get(scope, key)
            self._secrets.delete(model.secret_key(scope, key))

    def put_acl(self, scope: str, acl: Acl) -> None:
        """Record what a principal may do with the secrets of a scope."""
        with self._scopes.transaction():
            self._scopes.put(model.scope_key(scope), model.with_acl(self.scope(scope), acl))

    def acl(self, scope: str, principal: str) -> Acl:
        """Return what was recorded for a principal."""
        found = next((acl for acl in self.scope(scope).acls if acl.principal == principal), None)
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Failed to get secret acl for principal {principal} for scope {scope}.")
        return found

    def delete_acl(self, scope: str, principal: str) -> None:
        """Forget what was recorded for a principal."""
        with self._scopes.transaction():
            self.acl(scope, principal)
            self._scopes.put(model.scope_key(scope), model.without_acl(self.scope(scope), principal))

    def scope(self, name: str) -> SecretScope:
        """Return a scope."""
        found = self._scopes.get(model.scope_key(name))
        if found is None:
            raise ApiError(404, "RESOURCE_DOES_NOT_EXIST", f"Scope {name} does not exist!")
        return found


def _too_many(message: str) -> ApiError:
    # Assumption: the status; the error code is documented.
    return ApiError(400, "RESOURCE_LIMIT_EXCEEDED", message)
