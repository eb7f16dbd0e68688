"""Which model version types the rows, and its schema, from endpoint, system table and registry."""

from typing import TYPE_CHECKING, Any

from monitoring_unpacker.entities import versions_known
from monitoring_unpacker.errors import MonitoringError
from monitoring_unpacker.schema import Field, Schema
from monitoring_unpacker.signature import schema_of
from monitoring_unpacker.tables import SERVED_ENTITIES, literal, quoted

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_GONE = frozenset(("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"))


def served_version(workspace: "WorkspaceClient", endpoint: str, *, model: str, spark: Any = None) -> str:
    """Return the version of `model` with the most traffic, or, when the endpoint is gone, the one that it served last.

    Its signature types the requests of entities that the system table does not know, and decides the columns' types.
    Without `spark` an endpoint that is gone is an error.
    """
    from databricks.sdk.errors import NotFound

    try:
        config = workspace.serving_endpoints.get(endpoint).config
    except NotFound as error:
        version = None if spark is None else _served_last(spark, endpoint, model)
        if version is None:
            what = f"there is none, and {SERVED_ENTITIES} does not say which version of {model} it served"
            raise MonitoringError(f"endpoint {endpoint}: {what}; give --model-version") from error
        return version
    routes = (config.traffic_config.routes if config and config.traffic_config else None) or []
    traffic = {route.served_entity_name or route.served_model_name: route.traffic_percentage for route in routes}
    entities = [entity for entity in (config.served_entities if config else None) or [] if entity.entity_name == model]
    if not entities:
        raise MonitoringError(f"endpoint {endpoint}: serves no version of {model}; deploy one, or give --model-version")
    return str(max(entities, key=lambda entity: traffic.get(entity.name, 0)).entity_version)


def version_schema(model: str, version: str, *, key: Field) -> Schema:
    """Return the schema of a model's version.

    Raises:
        MonitoringError: the version is gone, or has no signature with named inputs.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.models import get_model_info

    try:
        signature = get_model_info(f"models:/{model}/{version}").signature
    except MlflowException as error:
        if error.error_code not in _GONE:
            raise
        raise MonitoringError(f"model {model} version {version}: is not in the registry any more") from error
    if signature is None or signature.inputs is None:
        raise MonitoringError(f"model {model} version {version}: has no signature, so nothing says what its requests hold")
    return schema_of(signature, key=key)


def _served_last(spark: Any, endpoint: str, model: str) -> str | None:
    if not versions_known(spark):
        return None
    newest = "MAX_BY(entity_version, change_time) AS version"
    where = f"entity_name = {literal(model)} AND endpoint_name = {literal(endpoint)}"
    return _text(spark.sql(f"SELECT {newest} FROM {quoted(SERVED_ENTITIES)} WHERE {where}").first()["version"])  # noqa: S608 - quoted


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
