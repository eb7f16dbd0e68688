"""What Unity Catalog's API says, as SQL says it. Pure."""

from harness.errors import ApiError
from harness.platform_sql.model import SqlError

# What the API says -> (condition, SQLSTATE), of docs.databricks.com/error-messages. Assumption: a code that is not here is the condition
# itself, with the state of a failed statement; the message is the API's, which names the thing.
_CONDITIONS = {
    "CATALOG_ALREADY_EXISTS": ("CATALOG_ALREADY_EXISTS", "42710"),
    "CATALOG_DOES_NOT_EXIST": ("NO_SUCH_CATALOG_EXCEPTION", "42704"),
    "CATALOG_NOT_EMPTY": ("CATALOG_NOT_EMPTY", "2BP01"),
    "SCHEMA_DOES_NOT_EXIST": ("SCHEMA_NOT_FOUND", "42704"),
    "SCHEMA_NOT_EMPTY": ("SCHEMA_NOT_EMPTY", "2BP01"),
    "TABLE_DOES_NOT_EXIST": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    "CONSTRAINT_DOES_NOT_EXIST": ("CONSTRAINT_DOES_NOT_EXIST", "42704"),
    "COLUMN_DOES_NOT_EXIST": ("UNRESOLVED_COLUMN", "42703"),
    "RESOURCE_ALREADY_EXISTS": ("VOLUME_ALREADY_EXISTS", "42000"),
    "VOLUME_DOES_NOT_EXIST": ("UC_VOLUME_NOT_FOUND", "42704"),
    "INVALID_PARAMETER_VALUE": ("INVALID_PARAMETER_VALUE", "22023"),
    "PERMISSION_DENIED": ("INSUFFICIENT_PERMISSIONS", "42501"),
    "NOT_IMPLEMENTED": ("UNSUPPORTED_FEATURE", "0A000"),
}
_FAILED = "56000"


def as_sql(error: ApiError) -> SqlError:
    """Return the error of a statement for one of the API."""
    condition, state = _CONDITIONS.get(error.error_code, (error.error_code, _FAILED))
    return SqlError(condition, state, error.message)
