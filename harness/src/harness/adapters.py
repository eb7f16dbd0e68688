"""One service as another sees it, and what is told of both: put in place by `parts.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness import serving
from harness.belongings import spark_remote
from harness.engines.environments import Environments
from harness.engines.spark import SparkEngine
from harness.engines.spark_statements import SparkStatements
from harness.errors import ApiError
from harness.identity import Credentials
from harness.isolation.model import catalog_of
from harness.jobs import JobService
from harness.names import FullName
from harness.sql.model import Query, StatementFailedError
from harness.unity.service import UnityService
from harness.workspace.files import FilesService
from harness.workspace.service import WorkspaceService


@dataclass(frozen=True, slots=True)
class MonitoredTables:
    """Unity Catalog as monitoring sees it: names may be of tables that do not exist yet."""

    unity: UnityService

    def table_path(self, full_name: FullName) -> Path:
        """Return the folder of `full_name`."""
        return self.unity.table_path(full_name)

    def table_id(self, table: FullName) -> str:
        """Return the id of this table, or raise the platform's 404."""
        return self.unity.table_id(table)

    def schema_id(self, catalog: str, schema: str) -> str:
        """Return the id of this schema, or raise the platform's 404."""
        return self.unity.schema_id(catalog, schema)

    def table_by_id(self, table_id: str) -> FullName | None:
        """Return the table with this id, or None."""
        return self.unity.table_by_id(table_id)

    def schema_by_id(self, schema_id: str) -> tuple[str, str] | None:
        """Return (catalog, schema) of this id, or None."""
        return self.unity.schema_by_id(schema_id)


def variables_of(spark: SparkEngine, credentials: Credentials, *, host: str, token: str) -> Callable[[str], Mapping[str, str]]:
    """Return what tells unchanged clients who they are: in an isolated workspace its user, else the harness's."""

    def variables(user: str) -> Mapping[str, str]:
        if catalog_of(user) is None:
            return {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": token, "SPARK_REMOTE": spark.remote}
        return {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": credentials.of(user), "SPARK_REMOTE": spark_remote(spark.remote, user)}

    return variables


def owner_of_job(service: JobService) -> Callable[[str], str | None]:
    """Return what tells who made a job, by its id."""

    def owner(job_id: str) -> str | None:
        try:
            return service.definitions.job(int(job_id)).creator
        except (ApiError, ValueError):
            return None

    return owner


def tells_of_catalogs(spark: SparkEngine) -> Callable[[str], None]:
    """Spark meets a catalog made while it runs; those made before it starts it finds as folders."""

    def created(name: str) -> None:
        if spark.alive():
            spark.add_catalog(name)

    return created


@dataclass(frozen=True, slots=True)
class SparkSql:
    """Spark as Unity Catalog sees it: what it refuses is the caller's error."""

    statements: SparkStatements

    def __call__(self, statement: str) -> None:
        """Carry a statement out."""
        asked = Query(statement, None, None, (), None, None, as_text=True)
        try:
            self.statements.begin(asked).result()
        except StatementFailedError as error:
            raise ApiError(400, "INVALID_PARAMETER_VALUE", str(error)) from error


@dataclass(frozen=True, slots=True)
class ModelEnvironment:
    """Environments as serving sees them: what a model's own `requirements.txt` asks for."""

    environments: Environments

    def for_model(self, model_folder: Path) -> serving.ModelInterpreter:
        """Return the interpreter for the model in `model_folder`."""
        found = self.environments.model_environment(model_folder / "requirements.txt")
        return serving.ModelInterpreter(str(found.python), tuple(str(folder) for folder in found.path), bool(found.replaces))


@dataclass(frozen=True, slots=True)
class TaskFiles:
    """Workspace files and volumes as jobs see them: where a dependency lies on this machine."""

    objects: WorkspaceService
    files: FilesService

    def file(self, path: str) -> Path:
        """Return the file at `/Workspace/…` or `/Volumes/…`."""
        return self.files.file(path) if path.startswith("/Volumes/") else self.objects.local_path(path)


@dataclass(frozen=True, slots=True)
class WatchedData:
    """Volumes and tables as triggers of jobs see them."""

    unity: UnityService
    volumes: FilesService

    def files(self, folder: str) -> Mapping[str, int]:
        """Return the size of every file under `/Volumes/…`, by path."""
        try:
            root = self.volumes.locate(folder)
        except ApiError:  # no such volume (yet)
            return {}
        return {str(path): path.stat().st_size for path in root.rglob("*") if path.is_file()}

    def version(self, table: str) -> int | None:
        """Return the version of a Delta table, the number of the newest file of its log; None when there is no such table."""
        try:
            folder = self.unity.table_path(FullName(*table.split("."))) / "_delta_log"
        except ApiError:  # no such schema (yet)
            return None
        return max((int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal()), default=None)
