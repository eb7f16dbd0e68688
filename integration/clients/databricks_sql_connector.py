"""`databricks-sql-connector` (DB API 2.0) over the Statement Execution API, `use_sea=True`; its Thrift protocol needs TLS on port 443.

`python databricks_sql_connector.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import datetime as dt
import os
import uuid
from decimal import Decimal
from typing import Any

from databricks import sql
from databricks.sdk import WorkspaceClient

SCHEMA = f"s_{uuid.uuid4().hex[:8]}"


def connect(**options: Any) -> Any:
    """Open a connection to the workspace's warehouse; a host that is not https on port 443 has to say so."""
    host, _, port = os.environ["DATABRICKS_HOST"].rstrip("/").rpartition(":")
    path = next(iter(WorkspaceClient().warehouses.list())).odbc_params.path  # type: ignore[union-attr]
    return sql.connect(
        server_hostname=host,
        _port=int(port),
        http_path=path,
        access_token=os.environ["DATABRICKS_TOKEN"],
        use_sea=True,
        enable_telemetry=False,
        **options,
    )


def main() -> None:
    """Play it through."""
    with connect(catalog="main") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {SCHEMA}")
        try:
            cursor.execute(f"USE SCHEMA {SCHEMA}")  # lasts as long as the connection
            cursor.execute("CREATE TABLE trips (id BIGINT, day DATE, fare DECIMAL(8,2), city STRING)")
            cursor.execute("INSERT INTO trips VALUES (1, DATE'2026-11-01', 12.50, 'Rome'), (2, DATE'2026-11-02', NULL, 'Oslo')")
            cursor.execute("SELECT * FROM trips WHERE day >= :day ORDER BY id", {"day": dt.date(2026, 11, 1)})
            assert [(name, kind) for name, kind, *_ in cursor.description][:2] == [("id", "bigint"), ("day", "date")]
            assert [tuple(row) for row in cursor.fetchall()] == [
                (1, dt.date(2026, 11, 1), Decimal("12.50"), "Rome"),
                (2, dt.date(2026, 11, 2), None, "Oslo"),
            ]
            cursor.execute("CREATE TEMPORARY VIEW dear AS SELECT * FROM trips WHERE fare > 5")
            cursor.execute("SELECT count(*) FROM dear")
            assert cursor.fetchone()[0] == 1
            cursor.execute("SELECT id, repeat('x', 1000) AS text FROM range(20000) ORDER BY id")  # 20 MB: by links
            assert cursor.fetchall_arrow().num_rows == 20000
            cursor.schemas(catalog_name="main", schema_name=SCHEMA)
            assert SCHEMA in {row[0] for row in cursor.fetchall()}
            try:
                cursor.execute("SELECT nothing FROM nowhere")
            except sql.Error as error:
                assert "TABLE_OR_VIEW_NOT_FOUND" in str(error)
            else:
                raise AssertionError("a table that is not there")
        finally:
            cursor.execute(f"DROP SCHEMA main.{SCHEMA} CASCADE")


if __name__ == "__main__":
    main()
