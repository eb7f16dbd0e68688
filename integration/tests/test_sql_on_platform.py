"""`w.statement_execution` on the whole platform: the same tables, names and functions as Spark has."""

import io
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sql import Disposition, Format, StatementParameterListItem, StatementResponse, StatementState

pytestmark = pytest.mark.platform


def execute(workspace: WorkspaceClient, statement: str, **given: Any) -> StatementResponse:
    warehouse = next(iter(workspace.warehouses.list())).id or ""
    done = workspace.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s", **given)
    assert done.status is not None
    assert done.status.state is not None
    return done


def rows(workspace: WorkspaceClient, statement: str, **given: Any) -> list[list[str | None]]:
    done = execute(workspace, statement, **given)
    assert done.status is not None
    assert done.status.state == StatementState.SUCCEEDED, done.status
    assert done.result is not None
    return done.result.data_array or []


def test_statements_write_what_spark_reads(workspace: WorkspaceClient, spark: Any, catalog: str) -> None:
    """In the catalog and schema that the request names."""
    rows(workspace, "CREATE TABLE trips (id BIGINT, fare DOUBLE)", catalog=catalog, schema="default")
    rows(workspace, f"INSERT INTO {catalog}.default.trips VALUES (1, 7.5), (2, NULL)")  # noqa: S608 - a name of our own

    found = [tuple(row) for row in spark.table(f"{catalog}.default.trips").orderBy("id").collect()]

    assert found == [(1, 7.5), (2, None)]
    assert rows(workspace, "SELECT * FROM trips ORDER BY id", catalog=catalog, schema="default") == [["1", "7.5"], ["2", None]]


def test_every_type_has_its_name_and_its_text(workspace: WorkspaceClient) -> None:
    """As the documentation names them; values as SQL writes them."""
    done = execute(
        workspace,
        "SELECT 1Y AS a, 2S AS b, 3 AS c, 4L AS d, 1.50BD AS e, 2.5D AS f, 1e20D AS f, true AS g, 'x' AS h, DATE'2026-01-02' AS i,"
        " TIMESTAMP'2026-01-02 03:04:05Z' AS j, TIMESTAMP_NTZ'2026-01-02 03:04:05' AS k, X'0102' AS l, array(1, 2) AS m,"
        " named_struct('n', 1) AS o, map('p', 2) AS q, NULL AS r, INTERVAL '2' DAY AS s",
    )

    assert done.manifest is not None
    assert done.manifest.schema is not None
    columns = done.manifest.schema.columns or []
    assert [(column.name, column.type_name and column.type_name.value, column.type_text) for column in columns] == [
        ("a", "BYTE", "TINYINT"),
        ("b", "SHORT", "SMALLINT"),
        ("c", "INT", "INT"),
        ("d", "LONG", "BIGINT"),
        ("e", "DECIMAL", "DECIMAL(3,2)"),
        ("f", "DOUBLE", "DOUBLE"),
        ("f", "DOUBLE", "DOUBLE"),
        ("g", "BOOLEAN", "BOOLEAN"),
        ("h", "STRING", "STRING"),
        ("i", "DATE", "DATE"),
        ("j", "TIMESTAMP", "TIMESTAMP"),
        ("k", "TIMESTAMP", "TIMESTAMP_NTZ"),
        ("l", "BINARY", "BINARY"),
        ("m", "ARRAY", "ARRAY<INT>"),
        ("o", "STRUCT", "struct<n:int>"),
        ("q", "MAP", "MAP<STRING,INT>"),
        ("r", "NULL", "VOID"),
        ("s", "INTERVAL", "INTERVAL DAY"),
    ]
    assert (columns[4].type_precision, columns[4].type_scale, columns[-1].type_interval_type) == (3, 2, "DAY")
    assert done.result is not None
    assert done.result.data_array == [
        [
            *("1", "2", "3", "4", "1.50", "2.5", "1.0E20", "true", "x", "2026-01-02"),
            *("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05.000", "AQI=", "[1,2]", '{"n":1}', '{"p":2}', None, "INTERVAL '2' DAY"),
        ]
    ]


def test_parameters_are_values_of_their_types(workspace: WorkspaceClient) -> None:
    """And never SQL."""
    given = [
        StatementParameterListItem("n", value="41", type="INT"),
        StatementParameterListItem("day", value="2026-03-01", type="DATE"),
        StatementParameterListItem("text", value="'; DROP TABLE x --"),
        StatementParameterListItem("none"),
        StatementParameterListItem("at", value="2026-03-01T00:00:00+01:00", type="TIMESTAMP"),
        StatementParameterListItem("price", value="1.5", type="DECIMAL(4,2)"),
        StatementParameterListItem("no", type="BIGINT"),
    ]

    found = rows(workspace, "SELECT :n + 1, date_add(:day, 1), :text, :none, :at, :price, typeof(:no)", parameters=given)

    assert found == [["42", "2026-03-02", "'; DROP TABLE x --", None, "2026-02-28T23:00:00.000Z", "1.50", "bigint"]]


def test_a_value_that_is_not_of_its_type_is_told(workspace: WorkspaceClient) -> None:
    """As a cast of it would be."""
    done = execute(workspace, "SELECT :n", parameters=[StatementParameterListItem("n", value="many", type="INT")])

    assert done.status is not None
    assert done.status.error is not None
    assert "[CAST_INVALID_INPUT] The value 'many'" in (done.status.error.message or "")


def test_arrow_results_come_by_links_in_chunks(workspace: WorkspaceClient) -> None:
    """With their own types."""
    done = execute(
        workspace, "SELECT id, id / 2 AS half FROM range(1000)", format=Format.ARROW_STREAM, disposition=Disposition.EXTERNAL_LINKS
    )

    assert done.result is not None
    (link,) = done.result.external_links or []
    with urlopen(link.external_link or "") as answer:  # noqa: S310 - the harness's own address
        table = pa.ipc.open_stream(io.BytesIO(answer.read())).read_all()
    assert table.schema == pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("half", pa.float64())])
    assert table.num_rows == 1000


@pytest.mark.parametrize(
    ("statement", "message", "sql_state"),
    [
        pytest.param(
            "SELECT * FROM none.such.thing", "[TABLE_OR_VIEW_NOT_FOUND] The table or view `none`.`such`.`thing`", "42P01", id="table"
        ),
        pytest.param("SELEC 1", "[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'", "42601", id="syntax"),
        pytest.param("SELECT 1/0", "[DIVIDE_BY_ZERO] Division by zero", "22012", id="while it runs"),
    ],
)
def test_a_wrong_statement_fails_in_spark_s_words(workspace: WorkspaceClient, statement: str, message: str, sql_state: str) -> None:
    """With its SQL state, and without a stack."""
    done = execute(workspace, statement)

    assert done.status is not None
    assert done.status.state == StatementState.FAILED
    assert done.status.error is not None
    assert (done.status.error.message or "").startswith(message)
    assert "stacktrace" not in (done.status.error.message or "")
    assert done.status.sql_state == sql_state


def test_a_long_statement_is_cancelled(workspace: WorkspaceClient) -> None:
    """Its work in Spark ends with it."""
    warehouse = next(iter(workspace.warehouses.list())).id or ""
    slow = "SELECT sum(a.id * b.id) FROM range(1000000) a CROSS JOIN range(1000000) b"
    begun = workspace.statement_execution.execute_statement(slow, warehouse, wait_timeout="0s")
    assert begun.statement_id is not None

    workspace.statement_execution.cancel_execution(begun.statement_id)

    ended = workspace.statement_execution.get_statement(begun.statement_id)
    assert ended.status is not None
    assert ended.status.state == StatementState.CANCELED
    assert rows(workspace, "SELECT 1") == [["1"]]
