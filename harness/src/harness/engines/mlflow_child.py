"""The MLflow server's own process: `python -m harness.engines.mlflow_child STATE PORT PORT_FILE`.

Starts the server's ASGI application directly, one worker, job execution off: a third of the start-up time and of the memory of
`mlflow server`. The names that begin with `_MLFLOW_SERVER_` are private to mlflow 3.17.2, which is pinned for that reason.
"""

import os
import socket
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

DATABASE = "mlflow.db"
ARTIFACTS = "artifacts"
# What would make the server a client of some other server, if the developer's shell has it set.
_CLIENT_VARIABLES = (
    "MLFLOW_TRACKING_URI",
    "MLFLOW_REGISTRY_URI",
    "DATABRICKS_HOST",
    "DATABRICKS_TOKEN",
    "MLFLOW_RUN_ID",
    "MLFLOW_EXPERIMENT_ID",
)


def settings(folder: Path) -> dict[str, str]:
    """Return the environment that makes the application serve `folder`."""
    database = f"sqlite:///{folder / DATABASE}"
    return {
        "_MLFLOW_SERVER_FILE_STORE": database,
        "_MLFLOW_SERVER_REGISTRY_STORE": database,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(folder / ARTIFACTS),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


def configure(environment: MutableMapping[str, str], folder: Path) -> None:
    """Change `environment` to serve `folder` and to be nobody's client."""
    for name in _CLIENT_VARIABLES:
        environment.pop(name, None)
    environment.update(settings(folder))


def find_data_sets_by_name() -> None:
    """Let searches of logged models name data sets without their digests, as the client's documentation has it.

    The server of mlflow 3.17.2 hands a digest that is not given on as None, for which its store finds nothing; without a server it works.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    search = SqlAlchemyStore.search_logged_models

    def by_name(store: SqlAlchemyStore, *arguments: Any, datasets: list[dict[str, Any]] | None = None, **options: Any) -> Any:
        given = [{key: value for key, value in each.items() if value is not None} for each in datasets or []]
        return search(store, *arguments, datasets=given or None, **options)

    SqlAlchemyStore.search_logged_models = by_name


def main() -> None:
    """Listen on 127.0.0.1 at once, write the port down, then load and serve the application."""
    from harness_guest import lifeline  # on the path of this process only

    lifeline.follow()
    folder, port, port_file = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    configure(os.environ, folder)
    listening = socket.create_server(("127.0.0.1", port), backlog=128)
    part = port_file.with_suffix(".part")
    part.write_text(str(listening.getsockname()[1]))
    part.replace(port_file)
    find_data_sets_by_name()
    import uvicorn

    server = uvicorn.Server(uvicorn.Config("mlflow.server.fastapi_app:app", log_level="warning", access_log=False))
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
