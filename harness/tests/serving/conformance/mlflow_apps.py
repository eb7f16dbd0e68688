"""MLflow's own scoring server, for several models in one process: `mlflow_apps.py NAME=FOLDER…`; prints the port it listens on.

Each model gets the application that `mlflow models serve` runs (`mlflow.pyfunc.scoring_server.init`), below /NAME.
"""

import os
import socket
import sys

import uvicorn
from mlflow.pyfunc import load_model
from mlflow.pyfunc.scoring_server import init
from starlette.applications import Starlette
from starlette.routing import Mount

from harness_guest import lifeline

lifeline.follow()
os.environ["_MLFLOW_IS_IN_SERVING_ENVIRONMENT"] = "true"
named = [argument.partition("=") for argument in sys.argv[1:]]
app = Starlette(routes=[Mount(f"/{name}", init(load_model(folder))) for name, _, folder in named])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)  # noqa: T201 - whoever started this reads it
uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
