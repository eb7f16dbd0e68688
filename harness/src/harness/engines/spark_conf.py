"""What the Spark engine is told: where things lie, and Spark's settings for small data on one machine."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

PARALLELISM = 2
_SCHEMES = ("file", "dbfs", "unity")  # this machine's files, DBFS, and where managed tables lie
FORGET = "- "  # what a line to the driver begins with that asks it to forget (spark_driver.py); no catalog is called so


class Order(msgspec.Struct, frozen=True):
    """What to start; paths are absolute."""

    port: int
    warehouse: str
    scratch: str
    files: str
    jars: list[str]
    harness_url: str
    token: str
    pythons: str
    aot_cache: str | None = None  # use it
    aot_output: str | None = None  # make it


def spark_conf(*, port: int, warehouse: Path, scratch: Path, files: Path, pythons: Path) -> Mapping[str, str]:
    """Return the settings of the engine that serves Spark Connect on `port`.

    Nothing is written outside `warehouse`, `scratch` and `files`, where `/Volumes/…`, `/Workspace/…` and `dbfs:/…` lie, but at paths of
    this machine that a user names.
    """
    return {
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.interceptor.classes": "harness.Sessions",  # users of isolated workspaces begin in their own catalog
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Kept for pages that there are not; by default a thousand of each, 100 kB for every test of a long run.
        **dict.fromkeys(("spark.ui.retainedJobs", "spark.ui.retainedStages", "spark.sql.ui.retainedExecutions"), "100"),
        "spark.log.level": "ERROR",
        # Tables.
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension,harness.Extensions",  # in this order: ours wraps Delta's parser
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalog.__harness": "harness.PlatformStatements",  # statements that Spark does not parse (harness/platform_sql)
        "spark.harness.warehouse": str(warehouse),  # read by harness.Catalogs
        "spark.harness.pythons": str(pythons),  # read by harness.Sessions; engines/udf_pythons.py fills it
        "spark.python.daemon.module": "harness_guest.udf_daemon",
        "spark.sql.catalog.main": "harness.FolderCatalog",
        "spark.sql.catalog.main.root": str(warehouse),
        "spark.sql.defaultCatalog": "main",  # as in statements that name none
        "spark.sql.sources.default": "delta",
        "spark.sql.catalogImplementation": "in-memory",  # no metastore: the folders are the truth
        "spark.sql.warehouse.dir": str(scratch / "session-catalog"),
        "spark.local.dir": str(scratch / "local"),
        # `DeltaTable` over Spark Connect (harness/delta_table).
        "spark.connect.extensions.relation.classes": "harness.DeltaMessages",
        "spark.connect.extensions.command.classes": "harness.DeltaMessages",
        # Files: `/Volumes/…` and the like are folders of the harness, also for Delta's commits.
        "spark.hadoop.harness.files": str(files),  # read by harness.MountedFiles, as the next
        "spark.hadoop.harness.warehouse": str(warehouse),
        **{f"spark.hadoop.fs.{scheme}.impl": "harness.MountedFileSystem" for scheme in _SCHEMES},
        **{f"spark.hadoop.fs.AbstractFileSystem.{scheme}.impl": "harness.MountedFileContext" for scheme in _SCHEMES},
        # As on the platform.
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        # Small data: with Delta's own 50 partitions the first statements take four times as long.
        "spark.default.parallelism": str(PARALLELISM),
        "spark.sql.shuffle.partitions": str(PARALLELISM),
        "spark.databricks.delta.snapshotPartitions": str(PARALLELISM),
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(PARALLELISM),  # else VACUUM runs 10,000 tasks: minutes
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",  # compiling a query takes longer than running it; a session may set it back
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    }
