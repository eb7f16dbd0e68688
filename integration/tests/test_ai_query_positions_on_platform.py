"""`ai_query` wherever a scalar may stand, against a served model."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

pytestmark = pytest.mark.platform
ENDPOINT = "adds-anywhere"
ADDS = """
import mlflow
class Adds(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return (model_input["a"] + model_input["b"]).to_numpy()
mlflow.models.set_model(Adds())
"""


@pytest.fixture(scope="module")
def run(spark: Any, connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return what runs SQL in a schema with a table `t` of (1, 1.0, 2.0) and (2, 3.0, 4.0); `{y}` is what the model makes of a and b."""
    workspace = WorkspaceClient(host=connection.host, token=connection.token)
    source: Path = tmp_path_factory.mktemp("model") / "adds.py"
    source.write_text(ADDS)
    with mlflow.start_run(experiment_id=mlflow.set_experiment("/Shared/anywhere").experiment_id):
        example = pd.DataFrame({"a": [1.0], "b": [2.0]})
        logged = mlflow.pyfunc.log_model(name="adds", python_model=str(source), input_example=example, pip_requirements=["mlflow-skinny"])
    version = mlflow.register_model(logged.model_uri, "main.default.adds_anywhere").version
    entities = [ServedEntityInput(entity_name="main.default.adds_anywhere", entity_version=str(version))]
    config = EndpointCoreConfigInput(name=ENDPOINT, served_entities=entities)
    workspace.serving_endpoints.create_and_wait(ENDPOINT, config=config, timeout=timedelta(minutes=3))

    def run_(statement: str) -> list[tuple[Any, ...]]:
        text = statement.replace("{y}", "ai_query('adds-anywhere', named_struct('a', a, 'b', b), 'DOUBLE')")
        return [tuple(row) for row in spark.sql(text).collect()]

    run_("CREATE SCHEMA main.anywhere")
    run_("USE main.anywhere")
    run_("CREATE TABLE t AS SELECT * FROM VALUES (1, 1.0D, 2.0D), (2, 3.0D, 4.0D) AS v(id, a, b)")
    yield run_
    run_("USE main.default")
    run_("DROP SCHEMA main.anywhere CASCADE")
    workspace.serving_endpoints.delete(ENDPOINT)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("SELECT id, {y} FROM t ORDER BY id", [(1, 3.0), (2, 7.0)], id="select list"),
        pytest.param("SELECT round({y} * 2 + coalesce({y}, 0), 1) FROM t ORDER BY 1", [(9.0,), (21.0,)], id="nested in expressions"),
        pytest.param("SELECT ai_query('adds-anywhere', struct({y} AS a, 1D AS b)) FROM t ORDER BY 1", [(4.0,), (8.0,)], id="of itself"),
        pytest.param("SELECT id FROM t WHERE {y} BETWEEN 6 AND 8", [(2,)], id="where"),
        pytest.param("SELECT CASE WHEN {y} > 5 THEN 'big' ELSE 'small' END FROM t ORDER BY 1", [("big",), ("small",)], id="case"),
        pytest.param("SELECT {y} AS p, count(*) FROM t GROUP BY {y} HAVING {y} > 5", [(7.0, 1)], id="group by, having"),
        pytest.param("SELECT sum({y}), count(*) FILTER (WHERE {y} > 5) FROM t", [(10.0, 1)], id="in aggregates"),
        pytest.param("SELECT id, sum({y}) OVER (ORDER BY id) FROM t ORDER BY id", [(1, 3.0), (2, 10.0)], id="in windows"),
        pytest.param("SELECT x.id, z.id FROM t x JOIN (SELECT id, {y} AS y FROM t) z ON x.a + x.b = z.y", [(1, 1), (2, 2)], id="joined"),
        pytest.param(
            "SELECT x.id, z.id FROM t x JOIN t z ON ai_query('adds-anywhere', struct(x.a AS a, z.b AS b)) > 6",
            [(2, 2)],
            id="join condition of both sides",
        ),
        pytest.param("SELECT id FROM t ORDER BY {y} DESC LIMIT 1", [(2,)], id="order by"),
        pytest.param("WITH p AS (SELECT {y} AS y FROM t) SELECT sum(y) FROM p", [(10.0,)], id="common table expression"),
        pytest.param("SELECT id FROM t WHERE {y} = (SELECT max({y}) FROM t)", [(2,)], id="subquery"),
        pytest.param("SELECT {y} AS p, p + 1 AS q FROM t ORDER BY p", [(3.0, 4.0), (7.0, 8.0)], id="lateral column alias"),
        pytest.param(
            "SELECT ai_query(returnType => 'DOUBLE', request => struct(b, a), failOnError => true, endpoint => 'adds-anywhere')"
            " FROM t ORDER BY id",
            [(3.0,), (7.0,)],
            id="named in any order",
        ),
        pytest.param(
            "SELECT aggregate(array({y}), 0D, (s, x) -> s + x) FROM t ORDER BY 1", [(3.0,), (7.0,)], id="argument of a higher order"
        ),
    ],
)
def test_ai_query_stands_in_queries(run: Any, query: str, expected: list[tuple[Any, ...]]) -> None:
    assert sorted(run(query)) == sorted(expected)


def test_ai_query_stands_in_what_writes(run: Any) -> None:
    """CTAS, INSERT … SELECT, the source and the clauses of MERGE, UPDATE, DELETE, temporary views and functions."""
    run("CREATE TABLE scored AS SELECT id, {y} AS y FROM t")
    run("INSERT INTO scored SELECT id + 10, {y} FROM t")
    assert run("SELECT * FROM scored ORDER BY id") == [(1, 3.0), (2, 7.0), (11, 3.0), (12, 7.0)]

    run(
        "MERGE INTO scored USING (SELECT id, a, b, {y} + 1 AS y FROM t) s ON scored.id = s.id"
        " WHEN MATCHED AND {y} > 5 THEN UPDATE SET y = {y} * 10 WHEN MATCHED THEN UPDATE SET y = s.y"
    )
    run("UPDATE scored SET y = ai_query('adds-anywhere', struct(y AS a, 100D AS b)) WHERE id = 11")
    run("DELETE FROM scored WHERE ai_query('adds-anywhere', struct(y AS a, CAST(id AS DOUBLE) AS b)) = 19")
    assert run("SELECT * FROM scored ORDER BY id") == [(1, 4.0), (2, 70.0), (11, 103.0)]

    run("CREATE TEMP VIEW seen AS SELECT id, {y} AS y FROM t")
    run("CREATE TEMPORARY FUNCTION score(a DOUBLE, b DOUBLE) RETURNS DOUBLE RETURN {y}")
    assert run("SELECT seen.y, score(a, b) FROM seen JOIN t USING (id) ORDER BY id") == [(3.0, 3.0), (7.0, 7.0)]


def test_ai_query_stands_in_what_a_schema_keeps(run: Any, connection: Any) -> None:
    """Views and functions, by themselves and of each other, from wherever they are asked."""
    run("CREATE VIEW main.anywhere.kept AS SELECT id, {y} AS y FROM t")
    run("CREATE FUNCTION main.anywhere.kept_score(a DOUBLE, b DOUBLE) RETURNS DOUBLE RETURN {y}")
    run("CREATE VIEW main.anywhere.both AS SELECT y, main.anywhere.kept_score(y, id) AS z FROM main.anywhere.kept")

    other = SparkSession.builder.remote(connection.spark_remote).create()
    assert [tuple(row) for row in other.sql("SELECT * FROM main.anywhere.both ORDER BY y").collect()] == [(3.0, 4.0), (7.0, 9.0)]


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        pytest.param(
            "SELECT transform(array(a), x -> {y}) FROM t", "UNSUPPORTED_FEATURE.LAMBDA_FUNCTION_WITH_PYTHON_UDF", id="in a lambda"
        ),
        pytest.param(
            "SELECT 1 FROM t x LEFT JOIN t z ON ai_query('adds-anywhere', struct(x.a AS a, z.b AS b)) > 6",
            "UNSUPPORTED_FEATURE.PYTHON_UDF_IN_ON_CLAUSE",
            id="outer join condition of both sides",
        ),
        pytest.param(
            "SELECT * FROM VALUES (ai_query('adds-anywhere', struct(1D AS a, 2D AS b)))",
            "INVALID_INLINE_TABLE.CANNOT_EVALUATE_EXPRESSION_IN_INLINE_TABLE",
            id="inline table",
        ),
    ],
)
def test_where_it_cannot_stand_spark_says_so(run: Any, query: str, condition: str) -> None:
    with pytest.raises(AnalysisException) as refused:
        run(query)

    assert refused.value.getCondition() == condition
