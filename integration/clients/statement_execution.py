"""`w.statement_execution`: SQL over HTTP, inline and by links, with parameters, pages, limits and errors.

`python statement_execution.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import uuid
from datetime import date

import httpx
import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.sql import (
    Disposition,
    ExecuteStatementRequestOnWaitTimeout,
    Format,
    StatementParameterListItem,
    StatementResponse,
    StatementState,
)

CLIENT = WorkspaceClient()
WAREHOUSE = next(iter(CLIENT.warehouses.list())).id or ""
SCHEMA = f"s_{uuid.uuid4().hex[:8]}"


def run(statement: str, **options: object) -> StatementResponse:
    """Execute a statement and wait for it."""
    return CLIENT.statement_execution.execute_statement(statement, WAREHOUSE, catalog="main", wait_timeout="50s", **options)  # type: ignore[arg-type]


def rows(response: StatementResponse) -> list[list[str]]:
    """Return the rows of a statement that succeeded, those of all its chunks."""
    assert response.status is not None
    assert response.status.state is StatementState.SUCCEEDED, response.status
    data = response.result
    found: list[list[str]] = []
    while data is not None:
        found += data.data_array or []
        following = data.next_chunk_index
        data = (
            None if following is None else CLIENT.statement_execution.get_statement_result_chunk_n(response.statement_id or "", following)
        )
    return found


def main() -> None:
    """Play it through."""
    run(f"CREATE SCHEMA main.{SCHEMA}")
    try:
        run(f"CREATE TABLE main.{SCHEMA}.trips (id BIGINT, day DATE, fare DECIMAL(8,2)) COMMENT 'trips'")
        run(f"INSERT INTO main.{SCHEMA}.trips VALUES (1, DATE'2026-11-01', 12.5), (2, DATE'2026-11-02', NULL)")
        parameters = [
            StatementParameterListItem(name="day", value="2026-11-02", type="DATE"),
            StatementParameterListItem(name="none", type="STRING"),
        ]
        answer = run(f"SELECT id, day, fare, :none AS none FROM main.{SCHEMA}.trips WHERE day >= :day", parameters=parameters)
        assert rows(answer) == [["2", "2026-11-02", None, None]]
        assert answer.manifest is not None
        assert answer.manifest.schema is not None
        columns = answer.manifest.schema.columns or []
        assert [(column.name, column.type_text) for column in columns][:3] == [("id", "BIGINT"), ("day", "DATE"), ("fare", "DECIMAL(8,2)")]
        assert rows(run("SELECT count(*) FROM trips", schema=SCHEMA)) == [["2"]]

        linked(f"SELECT id, day FROM main.{SCHEMA}.trips ORDER BY id")
        limited()
        refused()
    finally:
        run(f"DROP SCHEMA main.{SCHEMA} CASCADE")


def linked(statement: str) -> None:
    """Read Arrow from links, which need no token."""
    answer = run(statement, disposition=Disposition.EXTERNAL_LINKS, format=Format.ARROW_STREAM)
    assert answer.result is not None
    links = answer.result.external_links or []
    content = b"".join(httpx.get(link.external_link or "").raise_for_status().content for link in links)
    table = pa.ipc.open_stream(content).read_all()
    assert table.to_pydict() == {"id": [1, 2], "day": [date(2026, 11, 1), date(2026, 11, 2)]}


def limited() -> None:
    """Limit rows; leave while a statement runs, look again, cancel it."""
    answer = run("SELECT * FROM range(1000)", row_limit=10)
    assert answer.manifest is not None
    assert (len(rows(answer)), answer.manifest.truncated) == (10, True)
    begun = CLIENT.statement_execution.execute_statement(
        "SELECT count(*) FROM range(100000000) a CROSS JOIN range(100000) b",
        WAREHOUSE,
        wait_timeout="0s",
        on_wait_timeout=ExecuteStatementRequestOnWaitTimeout.CONTINUE,
    )
    CLIENT.statement_execution.cancel_execution(begun.statement_id or "")
    status = CLIENT.statement_execution.get_statement(begun.statement_id or "").status
    assert status is not None
    assert status.state is StatementState.CANCELED, status


def refused() -> None:
    """See what goes wrong, in the platform's words."""
    failed = run("SELECT nothing FROM main.nowhere.nothing").status
    assert failed is not None
    assert failed.error is not None
    assert failed.state is StatementState.FAILED
    assert "TABLE_OR_VIEW_NOT_FOUND" in (failed.error.message or ""), failed
    try:
        CLIENT.statement_execution.get_statement(str(uuid.uuid4()))
    except NotFound:
        pass
    else:
        raise AssertionError("a statement that never was")
    try:
        CLIENT.statement_execution.execute_statement("SELECT 1", "no-warehouse")
    except BadRequest as error:
        assert "not a valid endpoint id" in str(error)
    else:
        raise AssertionError("a warehouse that is none")


if __name__ == "__main__":
    main()
