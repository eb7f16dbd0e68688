"""Environment variables of a served entity: plain values, and references to secrets."""

import re
from collections.abc import Mapping

from harness.errors import ApiError
from harness.serving.ports import Secrets

MAX_VARIABLES = 50  # docs, model-serving-limits
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# docs, store-env-variable-model-serving: `{{secrets/scope/key}}` is the whole value
_REFERENCE = re.compile(r"\{\{secrets/([^/{}]+)/([^/{}]+)\}\}")


def check_variables(variables: Mapping[str, str]) -> None:
    """Raise unless a process can be given `variables`. Whether a secret exists shows when the process starts.

    Assumption: the platform's wordings, and which names it refuses, are not documented.
    """
    if len(variables) > MAX_VARIABLES:
        raise _invalid(f"{len(variables)} variables; at most {MAX_VARIABLES} are allowed.")
    for name, value in variables.items():
        if not _NAME.fullmatch(name):
            raise _invalid(f"'{name}' is not a name: letters, digits and '_', no digit first.")
        if value.startswith("{{") and not _REFERENCE.fullmatch(value):
            raise _invalid(f"the value of {name} is not a reference to a secret; expected {{{{secrets/scope/key}}}}.")


def resolved(variables: Mapping[str, str], secrets: Secrets) -> dict[str, str]:
    """Return `variables` with secrets in place of references; `ApiError` when there is no such secret, which fails the deployment."""
    found = {name: _REFERENCE.fullmatch(value) for name, value in variables.items()}
    return {name: secrets.value(match[1], match[2]) if (match := found[name]) else value for name, value in variables.items()}


def _invalid(message: str) -> ApiError:
    return ApiError(400, "INVALID_PARAMETER_VALUE", f"environment_vars: {message}")
