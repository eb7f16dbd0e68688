"""HTTP of Unity Catalog, put together from its parts."""

from harness.http import AnyRoute
from harness.unity.functions_routes import functions_routes
from harness.unity.grants_routes import grants_routes
from harness.unity.information_routes import information_routes
from harness.unity.information_rows import InformationSchema
from harness.unity.metastore_routes import metastore_routes
from harness.unity.models_routes import models_routes
from harness.unity.namespaces_routes import namespaces_routes
from harness.unity.prompts_routes import prompts_routes
from harness.unity.registry_routes import registry_routes
from harness.unity.service import UnityService
from harness.unity.tables_routes import tables_routes
from harness.unity.tags_routes import tags_routes
from harness.unity.volumes_routes import volumes_routes


def routes(service: UnityService) -> list[AnyRoute]:
    """Return all routes of Unity Catalog; they must stand before the MLflow proxy's."""
    return [
        *namespaces_routes(service),
        *tables_routes(service),
        *volumes_routes(service),
        *functions_routes(service.functions),
        *grants_routes(service.grants),
        *tags_routes(service.tags),
        *metastore_routes(service),
        *information_routes(InformationSchema(service)),
        *models_routes(service.registry, service.rename_model),
        *registry_routes(service.registry, service.rename_model),
        *prompts_routes(service.prompts),
    ]
