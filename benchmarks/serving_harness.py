"""A harness whose Spark, MLflow and tasks are never started: the rest of it, behind its own HTTP entry, for the serving benchmark.

`python benchmarks/serving_harness.py STATE MODELS` registers each model in the folder MODELS as `main.ml.<its name>` version 1, prints
`{"host": …, "token": …}` when it answers, and ends when its standard input closes.
"""

import json
import shutil
import socket
import sys
from pathlib import Path

from harness.app import LOOPBACK, Harness
from harness.cli.connection import Connection
from harness.config import USER_NAME, Layout
from harness.engines.environments import Environments
from harness.parts import Parts, build
from harness.unity.registry_model import ModelVersion

TOKEN = "dapibenchmark"  # noqa: S105 - of a harness that lives for minutes, on this machine only
SCHEMA = "ml"


class ServingAlone(Harness):
    """The harness as `harness up` starts it, but for its engines."""

    def __init__(self, layout: Layout, models: Path) -> None:
        super().__init__(layout, print, token=TOKEN)
        self._models = models

    def _start(self) -> None:
        layout = self._layout.make()
        (layout.warehouse / "main" / SCHEMA).mkdir(parents=True)
        listening = socket.create_server((LOOPBACK, 0))
        self._closing.callback(listening.close)
        self._closing.callback(self._lifeline.close)
        host = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        parts = build(layout, self._lifeline, host=host, token=TOKEN)
        self._closing.callback(parts.close)
        register(parts, self._models)
        self._serve(parts, listening)  # the entry whose speed is measured: whatever `harness up` has, this has
        parts.payloads.start()
        parts.serving.start()
        self._connection = Connection(host, TOKEN, "", str(layout.state), 0)


def register(parts: Parts, models: Path) -> None:
    """Put every saved model into the registry."""
    for folder in sorted(path.parent for path in models.glob("*/MLmodel")):
        name = f"main.{SCHEMA}.{folder.name}"
        registry = parts.unity.registry
        registry.create(name, user=USER_NAME)
        asked = ModelVersion(name, "", "", USER_NAME, 0, 0)
        version = registry.create_version(asked).version
        shutil.copytree(folder, registry.files(name, version), dirs_exist_ok=True)
        registry.finalize(name, version)


def main(state: Path, models: Path) -> None:
    """Run until standard input closes."""
    layout = Layout(state)
    Environments(layout=layout).base(lambda text: print(text, file=sys.stderr))
    with ServingAlone(layout, models) as harness:
        print(json.dumps({"host": harness.connection.host, "token": harness.connection.token}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
