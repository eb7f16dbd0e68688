"""Which keys a bundle may have, as dataclasses: ours for what only bundles know, the official client's for jobs."""

from dataclasses import dataclass
from typing import Any

from databricks.sdk.service.jobs import JobSettings

OpenMap = dict[str, str]


@dataclass
class Principal:
    """Who a permission is for, with the level."""

    level: str | None = None
    user_name: str | None = None
    group_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class Grant:
    """Unity Catalog privileges of one principal."""

    principal: str | None = None
    privileges: list[str] | None = None


@dataclass
class Lifecycle:
    """What `destroy` may do."""

    prevent_destroy: bool | None = None


@dataclass
class JobResource(JobSettings):
    """A job: its settings as the Jobs API takes them, and who may do what with it."""

    permissions: list[Principal] | None = None
    lifecycle: Lifecycle | None = None


@dataclass
class SchemaResource:
    """A schema of Unity Catalog."""

    name: str | None = None
    catalog_name: str | None = None
    comment: str | None = None
    properties: OpenMap | None = None
    storage_root: str | None = None
    grants: list[Grant] | None = None
    lifecycle: Lifecycle | None = None


@dataclass
class VolumeResource:
    """A volume of Unity Catalog."""

    name: str | None = None
    catalog_name: str | None = None
    schema_name: str | None = None
    volume_type: str | None = None
    storage_location: str | None = None
    comment: str | None = None
    grants: list[Grant] | None = None
    lifecycle: Lifecycle | None = None


@dataclass
class RegisteredModelResource:
    """A registered model of Unity Catalog."""

    name: str | None = None
    catalog_name: str | None = None
    schema_name: str | None = None
    comment: str | None = None
    storage_location: str | None = None
    grants: list[Grant] | None = None
    lifecycle: Lifecycle | None = None


@dataclass
class Tag:
    """One tag of an experiment."""

    key: str | None = None
    value: str | None = None


@dataclass
class ExperimentResource:
    """An MLflow experiment."""

    name: str | None = None
    artifact_location: str | None = None
    tags: list[Tag] | None = None
    permissions: list[Principal] | None = None
    lifecycle: Lifecycle | None = None


@dataclass
class Resources:
    """Everything a bundle can deploy; what is typed `Any` is known to the platform and not read here."""

    jobs: dict[str, JobResource] | None = None
    schemas: dict[str, SchemaResource] | None = None
    volumes: dict[str, VolumeResource] | None = None
    registered_models: dict[str, RegisteredModelResource] | None = None
    experiments: dict[str, ExperimentResource] | None = None
    alerts: Any = None
    apps: Any = None
    clusters: Any = None
    dashboards: Any = None
    database_catalogs: Any = None
    database_instances: Any = None
    model_serving_endpoints: Any = None
    models: Any = None
    pipelines: Any = None
    quality_monitors: Any = None
    secret_scopes: Any = None
    sql_warehouses: Any = None
    synced_database_tables: Any = None


@dataclass
class BundleSection:
    """`bundle:`. `target` and `mode` are what resolution writes; files do not set them."""

    name: str | None = None
    uuid: str | None = None
    databricks_cli_version: str | None = None
    deployment: Any = None
    engine: str | None = None
    git: Any = None
    cluster_id: str | None = None
    compute_id: str | None = None
    target: str | None = None
    mode: str | None = None


@dataclass
class WorkspaceSection:
    """`workspace:`."""

    host: str | None = None
    profile: str | None = None
    root_path: str | None = None
    artifact_path: str | None = None
    file_path: str | None = None
    state_path: str | None = None
    resource_path: str | None = None
    auth_type: str | None = None
    client_id: str | None = None
    workspace_id: str | None = None
    account_id: str | None = None
    azure_client_id: str | None = None
    azure_environment: str | None = None
    azure_login_app_id: str | None = None
    azure_tenant_id: str | None = None
    azure_use_msi: bool | None = None
    azure_workspace_resource_id: str | None = None
    google_service_account: str | None = None


@dataclass
class Variable:
    """One of `variables:`."""

    default: Any = None
    description: str | None = None
    type: str | None = None
    lookup: Any = None


@dataclass
class ArtifactFile:
    """A file that a build leaves."""

    source: str | None = None


@dataclass
class ArtifactSection:
    """One of `artifacts:`."""

    type: str | None = None
    path: str | None = None
    build: str | None = None
    executable: str | None = None
    files: list[ArtifactFile] | None = None
    dynamic_version: bool | None = None


@dataclass
class Presets:
    """What a target does to every resource."""

    name_prefix: str | None = None
    tags: OpenMap | None = None
    trigger_pause_status: str | None = None
    jobs_max_concurrent_runs: int | None = None
    pipelines_development: bool | None = None
    source_linked_deployment: bool | None = None
    artifacts_dynamic_version: bool | None = None


@dataclass
class RunAs:
    """Who jobs run as."""

    user_name: str | None = None
    service_principal_name: str | None = None


@dataclass
class Sync:
    """Which files travel besides; not read here."""

    include: list[str] | None = None
    exclude: list[str] | None = None
    paths: list[str] | None = None


@dataclass
class Common:
    """What stands at the top as well as in a target."""

    artifacts: dict[str, ArtifactSection] | None = None
    bundle: BundleSection | None = None
    permissions: list[Principal] | None = None
    presets: Presets | None = None
    resources: Resources | None = None
    run_as: RunAs | None = None
    sync: Sync | None = None
    workspace: WorkspaceSection | None = None


@dataclass
class Target(Common):
    """One of `targets:`; a variable there is a value, or a mapping with `default`."""

    mode: str | None = None
    default: bool | None = None
    cluster_id: str | None = None
    compute_id: str | None = None
    git: Any = None
    variables: dict[str, Any] | None = None


@dataclass
class Root(Common):
    """The whole of `databricks.yml`."""

    include: list[str] | None = None
    variables: dict[str, Variable] | None = None
    targets: dict[str, Target] | None = None
    environments: Any = None
    experimental: Any = None
    scripts: Any = None
    python: Any = None
