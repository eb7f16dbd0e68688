"""Which privileges there are, and on what each can be granted. Pure."""

from collections.abc import Iterable, Mapping

from harness.errors import ApiError

_EVERYWHERE = {"ALL_PRIVILEGES", "APPLY_TAG", "BROWSE", "MANAGE"}
_OF_TABLES = {"MODIFY", "REFRESH", "SELECT"}
_OF_VOLUMES = {"READ_VOLUME", "WRITE_VOLUME"}
_OF_FUNCTIONS = {"CREATE_MODEL_VERSION", "EXECUTE"}
_OF_SCHEMAS = {
    *("CREATE_FUNCTION", "CREATE_MATERIALIZED_VIEW", "CREATE_MODEL", "CREATE_TABLE", "CREATE_VOLUME"),
    *("EXTERNAL_USE_SCHEMA", "USE_SCHEMA"),
}
# docs.databricks.com/data-governance/unity-catalog/access-control/privileges-reference: what holds others passes its privileges on, so
# those of what it can hold are granted on it too. CREATE and USAGE are of an older model, which GRANT's own examples still use.
# Assumption: VIEW says nothing else than TABLE, as securable types of the API know no views.
_INHERITED = _EVERYWHERE | _OF_TABLES | _OF_VOLUMES | _OF_FUNCTIONS | _OF_SCHEMAS | {"CREATE", "USAGE"}
APPLICABLE: Mapping[str, frozenset[str]] = {
    "metastore": frozenset(
        {
            *("CREATE_CATALOG", "CREATE_CLEAN_ROOM", "CREATE_CONNECTION", "CREATE_EXTERNAL_LOCATION", "CREATE_PROVIDER"),
            *("CREATE_RECIPIENT", "CREATE_SERVICE_CREDENTIAL", "CREATE_SHARE", "CREATE_STORAGE_CREDENTIAL", "MANAGE_ALLOWLIST"),
            *("SET_SHARE_PERMISSION", "USE_MARKETPLACE_ASSETS", "USE_PROVIDER", "USE_RECIPIENT", "USE_SHARE"),
        }
    ),
    "catalog": frozenset(_INHERITED | {"CREATE_FOREIGN_CATALOG", "CREATE_SCHEMA", "USE_CATALOG"}),
    "schema": frozenset(_INHERITED),
    "table": frozenset(_EVERYWHERE | _OF_TABLES),
    "volume": frozenset(_EVERYWHERE | _OF_VOLUMES),
    "function": frozenset(_EVERYWHERE | _OF_FUNCTIONS),
}


def named(privilege: str) -> str:
    """Return a privilege as the API names it: `USE SCHEMA` of SQL is `USE_SCHEMA`. Raise the platform's 400 for one that there is not."""
    name = privilege.strip().upper().replace(" ", "_")
    if not any(name in names for names in APPLICABLE.values()):
        raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Privilege '{privilege}' is not valid")  # Assumption: the wording
    return name


def check_applicable(privileges: Iterable[str], kind: str) -> None:
    """Raise the platform's 400 when one of these cannot be granted on a securable of this kind."""
    for privilege in privileges:
        if kind in APPLICABLE and named(privilege) not in APPLICABLE[kind]:
            shown = named(privilege).replace("_", " ")  # Assumption: the wording
            raise ApiError(400, "INVALID_PARAMETER_VALUE", f"Privilege {shown} is not applicable to this entity [{kind.upper()}]")
