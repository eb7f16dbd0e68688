"""The harness of the batch benchmark: serving and Spark, without MLflow's server and tasks.

`python benchmarks/batch_harness.py STATE MODELS` registers the models as `serving_harness.py` does, prints
`{"host": …, "token": …, "remote": …}`, and ends when its standard input closes.
"""

import json
import socket
import sys
from pathlib import Path

from serving_harness import ServingAlone

from harness.config import Layout
from harness.engines.environments import Environments
from harness.parts import Parts


class ServingAndSpark(ServingAlone):
    """The harness as `harness up` starts it, but for MLflow's server and tasks."""

    remote = ""

    def _serve(self, parts: Parts, listening: socket.socket) -> None:
        super()._serve(parts, listening)
        parts.spark.start(lambda text: print(text, file=sys.stderr))
        self.remote = parts.spark.remote


def main(state: Path, models: Path) -> None:
    """Run until standard input closes."""
    layout = Layout(state)
    Environments(layout=layout).base(lambda text: print(text, file=sys.stderr))
    with ServingAndSpark(layout, models) as harness:
        told = {"host": harness.connection.host, "token": harness.connection.token, "remote": harness.remote}
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
