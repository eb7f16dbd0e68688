"""The local door: `./run python examples/ticket_priority/main.py` starts a harness, runs the workflow on it, says what came of it.

With DATABRICKS_HOST, DATABRICKS_TOKEN and SPARK_REMOTE set it runs against that workspace instead (a harness of `harness up`, say).
"""

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

WORKSPACE = ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "SPARK_REMOTE")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=600, help="how many (default: %(default)s)")
    parser.add_argument("--catalog", default="main", help="(default: %(default)s)")
    parser.add_argument("--state", type=Path, help="the harness's state folder (default: a temporary one)")
    options = parser.parse_args()
    with ExitStack() as closing:
        if not all(os.environ.get(name) for name in WORKSPACE):
            start_harness(options.state, closing)
        os.environ.update({"MLFLOW_TRACKING_URI": "databricks", "MLFLOW_REGISTRY_URI": "databricks-uc"})
        workflow(options.catalog, options.tickets)


def start_harness(state: Path | None, closing: ExitStack) -> None:
    """Start a harness that ends with `closing`, and let this process's clients be its clients."""
    from harness.app import Harness
    from harness.config import Layout

    folder = state or Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="ticket-priority-")))
    harness = closing.enter_context(Harness(Layout(folder), progress))
    os.environ.update(harness.connection.environment())


def workflow(catalog: str, count: int) -> None:
    """Prepare, run, ask by hand, add the late label, run again, report."""
    import mlflow
    import ticket_workflow as steps
    from databricks.sdk import WorkspaceClient
    from pyspark.sql import SparkSession

    from monitoring_unpacker import Thresholds

    spark, workspace = SparkSession.builder.getOrCreate(), WorkspaceClient()
    mlflow.set_experiment(f"/Users/{workspace.current_user.me().user_name}/ticket_priority")
    names = steps.Names(schema=f"{catalog}.support", endpoint=f"{catalog}_ticket_priority")
    version = steps.prepare(spark, names, count, progress)
    first = steps.run(spark, workspace, names, version, progress)
    answer = steps.ask(workspace, names)
    steps.add_late_label(spark, names)
    second = steps.run(spark, workspace, names, version, progress)
    print()
    print(f"scored      {first.scored.rows} tickets, {first.scored.errors} errors; the second run sent {second.scored.sent}")
    print(f"by hand     {', '.join(answer)}, and one refusal")
    print(f"processed   {second.counts.processed_rows} rows, {second.counts.labelled_rows} with a label")
    print(f"quarantine  {second.counts.quarantined_rows} request (the refused one)")
    for day, slice_, share in steps.accuracy(spark, second.profile_table):
        print(f"accuracy    {day} {slice_ or 'all tickets':24} {share:.3f}")
    found = steps.verdict(spark, names, version, Thresholds())
    print(f"verdict     {found.outcome}: {found.reason}")
    spark.stop()


def progress(line: str) -> None:
    """Print a line with the seconds so far."""
    print(f"{time.monotonic() - STARTED:7.1f} s  {line}", flush=True)


STARTED = time.monotonic()

if __name__ == "__main__":
    main()
