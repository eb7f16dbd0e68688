"""SQL of Unity Catalog that Spark does not parse, through the unmodified clients of Spark and of the platform."""

from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import StatementState
from pyspark.errors import AnalysisException

pytestmark = pytest.mark.platform


def rows(spark: Any, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in spark.sql(statement).collect()]


@pytest.fixture(params=["Spark Connect", "statement execution"])
def run(request: pytest.FixtureRequest, spark: Any, workspace: WorkspaceClient) -> Any:
    """Return what carries a statement out and gives its rows of text, by either door."""

    def by_spark(statement: str) -> list[list[str | None]]:
        return [[None if value is None else str(value) for value in row] for row in spark.sql(statement).collect()]

    def by_http(statement: str) -> list[list[str | None]]:
        warehouse = next(iter(workspace.warehouses.list())).id or ""
        done = workspace.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
        assert done.status is not None
        assert done.status.state == StatementState.SUCCEEDED, done.status
        return (done.result and done.result.data_array) or []

    return by_spark if request.param == "Spark Connect" else by_http


def test_both_doors_lead_to_the_catalog_of_rest(run: Any, workspace: WorkspaceClient, catalog: str) -> None:
    """Catalogs, volumes and grants of SQL are those of `w.catalogs`, `w.volumes` and `w.grants`."""
    run(f"COMMENT ON CATALOG {catalog} IS 'it''s \\\\ \"ours\"'")
    run(f"CREATE VOLUME {catalog}.default.files COMMENT 'raw'")
    run(f"GRANT READ VOLUME ON VOLUME {catalog}.default.files TO `ann@example.com`;")

    assert workspace.catalogs.get(catalog).comment == 'it\'s \\ "ours"'
    assert workspace.volumes.read(f"{catalog}.default.files").comment == "raw"
    held = workspace.grants.get("volume", f"{catalog}.default.files").privilege_assignments or []
    assert [(each.principal, [name.value for name in each.privileges or []]) for each in held] == [("ann@example.com", ["READ_VOLUME"])]
    assert [catalog] in run("SHOW CATALOGS")
    assert run(f"SHOW VOLUMES IN {catalog}.default") == [["default", "files"]]


def test_an_error_is_spark_s_own_with_its_condition_and_state(spark: Any) -> None:
    with pytest.raises(AnalysisException) as refused:
        spark.sql("DROP CATALOG no_such_catalog")

    assert refused.value.getCondition() == "NO_SUCH_CATALOG_EXCEPTION"
    assert refused.value.getSqlState() == "42704"
