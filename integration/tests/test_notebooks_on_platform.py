# ruff: noqa: S608 - the statements are the test's own
"""Notebooks as jobs run them: with Spark, secrets and other notebooks, asked for with the official client."""

import contextlib
import io
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import OperationFailed
from databricks.sdk.service.jobs import NotebookTask, SubmitTask
from databricks.sdk.service.workspace import ImportFormat

from harness.config import Layout

pytestmark = pytest.mark.platform
HEADER = "# Databricks notebook source\n"
BETWEEN = "\n\n# COMMAND ----------\n\n"


def put(workspace: WorkspaceClient, path: str, *cells: str) -> str:
    """Import a notebook and return its path."""
    workspace.workspace.mkdirs(path.rpartition("/")[0])
    workspace.workspace.upload(f"{path}.py", io.BytesIO((HEADER + BETWEEN.join(cells)).encode()), format=ImportFormat.AUTO, overwrite=True)
    return path


def run(workspace: WorkspaceClient, path: str, **parameters: str) -> Any:
    """Run a notebook once to its end, whichever that is, and return its task's output."""
    task = SubmitTask("it", notebook_task=NotebookTask(path, base_parameters=parameters))
    run_id = workspace.jobs.submit(run_name="try", tasks=[task]).run_id
    with contextlib.suppress(OperationFailed):
        workspace.jobs.wait_get_run_job_terminated_or_skipped(run_id)
    tasks = workspace.jobs.get_run(run_id).tasks
    assert tasks
    return workspace.jobs.get_run_output(tasks[0].run_id or 0)


def test_a_notebook_asks_spark_in_both_languages(workspace: WorkspaceClient, catalog: str) -> None:
    """`%sql` shows its rows, also of the platform's statements, and leaves them as `_sqldf`; `spark`, `table` and `display` are there."""
    path = put(
        workspace,
        f"/Shared/{catalog}/asks",
        f"# MAGIC %sql\n# MAGIC USE CATALOG {catalog};\n# MAGIC CREATE VOLUME default.v COMMENT 'a;b';\n"
        "# MAGIC GRANT READ VOLUME ON VOLUME default.v TO ann;\n"
        "# MAGIC CREATE FUNCTION default.half(x INT) RETURNS INT LANGUAGE PYTHON AS $$\n# MAGIC   y = x // 2; return y\n# MAGIC $$;\n"
        "# MAGIC SHOW VOLUMES IN default",
        "assert [tuple(row) for row in _sqldf.collect()] == [('default', 'v')]\nassert sql('SELECT default.half(7)').first()[0] == 3",
        f"# MAGIC %sql\n# MAGIC CREATE SCHEMA {catalog}.nb;\n# MAGIC CREATE TABLE {catalog}.nb.t AS SELECT 7 AS seven; -- one; row\n"
        f"# MAGIC SELECT * FROM {catalog}.nb.t",
        "rows = _sqldf.count()\ndisplay(spark.table(dbutils.widgets.get('table')))",
        "dbutils.notebook.exit(str(rows + table(dbutils.widgets.get('table')).first().seven))",
    )

    output = run(workspace, path, table=f"{catalog}.nb.t")

    assert output.error is None
    assert output.notebook_output.result == "8"


def test_a_notebook_runs_another_apart(workspace: WorkspaceClient, catalog: str) -> None:
    """The other one's result comes back; its error does as well; it has its own run."""
    put(workspace, f"/Shared/{catalog}/inner", "dbutils.notebook.exit('got ' + dbutils.widgets.get('x'))")
    put(workspace, f"/Shared/{catalog}/bad", "raise ValueError('no trips')")
    path = put(
        workspace,
        f"/Shared/{catalog}/outer",
        "first = dbutils.notebook.run('./inner', 60, {'x': 5})",
        "try:\n    dbutils.notebook.run('bad', 60)\nexcept Exception as error:\n    second = str(error)",
        "dbutils.notebook.exit(first + '; ' + second)",
    )

    result = run(workspace, path).notebook_output.result

    assert result.startswith("got 5; ")
    assert "ended FAILED: ValueError: no trips" in result


def test_secrets_are_read_and_never_shown(workspace: WorkspaceClient, catalog: str, layout: Layout) -> None:
    """In what the notebook prints the value is replaced."""
    workspace.secrets.create_scope(catalog)
    workspace.secrets.put_secret(catalog, "key", string_value="s3cr3t-value")
    path = put(
        workspace,
        f"/Shared/{catalog}/secret",
        f"value = dbutils.secrets.get('{catalog}', 'key')\nprint('it is', value)",
        f"assert [s.key for s in dbutils.secrets.list('{catalog}')] == ['key']",
        "dbutils.notebook.exit(str(len(value)))",
    )

    output = run(workspace, path)

    assert output.notebook_output.result == "12"
    printed = [file.read_text() for file in (layout.logs / "runs").glob("*/it.0/*") if file.is_file()]
    assert any("it is [REDACTED]\n" in text for text in printed)
    assert not any("s3cr3t-value\n" in text for text in printed)


def test_serverless_limits_hold_on_real_frames(workspace: WorkspaceClient, catalog: str) -> None:
    """A frame is not cached; one of the six settings is set."""
    path = put(
        workspace,
        f"/Shared/{catalog}/limits",
        "spark.conf.set('spark.sql.shuffle.partitions', '3')",
        "spark.range(3).cache()",
    )

    output = run(workspace, path)

    assert "[NOT_SUPPORTED_WITH_SERVERLESS] PERSIST TABLE is not supported on serverless compute. SQLSTATE: 0A000" in output.error
    assert "limits, cell 2" in output.error_trace


def test_a_notebook_merges_with_delta_s_own_api(workspace: WorkspaceClient, catalog: str) -> None:
    """`from delta.tables import DeltaTable` is there without an install."""
    path = put(
        workspace,
        f"/Shared/{catalog}/merges",
        f"spark.range(3).write.saveAsTable('{catalog}.default.ids')",
        "from delta.tables import DeltaTable\n"
        f"ids = DeltaTable.forName(spark, '{catalog}.default.ids')\n"
        "ids.alias('t').merge(spark.range(2, 5).alias('s'), 't.id = s.id').whenMatchedDelete().whenNotMatchedInsertAll().execute()",
        "dbutils.notebook.exit(str(sorted(row.id for row in ids.toDF().collect())))",
    )

    output = run(workspace, path)

    assert output.error is None
    assert output.notebook_output.result == "[0, 1, 3, 4]"


def test_functions_in_spark_run_with_what_the_notebook_has(workspace: WorkspaceClient, catalog: str) -> None:
    """A module beside it and a package that it installed, in a UDF, in SQL and in pandas; the engine itself has neither."""
    folder = f"/Shared/{catalog}/udf"
    workspace.workspace.mkdirs(folder)
    source = b"def tripled(x):\n    return 3 * x\n"
    workspace.workspace.upload(f"{folder}/beside_udf.py", io.BytesIO(source), format=ImportFormat.AUTO, overwrite=True)
    path = put(
        workspace,
        f"{folder}/main",
        "%pip install roman==5.1",
        "import beside_udf, roman\nfrom pyspark.sql.functions import udf",
        "def told(x):\n    return roman.toRoman(beside_udf.tripled(x))\n\nspark.udf.register('told', told, 'string')",
        "one = spark.range(1, 3).select(udf(told, 'string')('id')).collect()[1][0]",
        "two = spark.sql('SELECT told(4L)').first()[0]",
        "def frames(parts):\n    for part in parts:\n        yield part.assign(id=part.id.map(beside_udf.tripled))\n",
        "three = spark.range(5, 6).mapInPandas(frames, 'id long').first()[0]",
        "dbutils.notebook.exit(f'{one} {two} {three}')",
    )

    output = run(workspace, path)

    assert output.error is None, output.error_trace
    assert output.notebook_output.result == "VI XII 15"
