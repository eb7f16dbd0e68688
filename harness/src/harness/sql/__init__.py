"""SQL statements over HTTP: `w.statement_execution`, on the one warehouse that the harness is."""

from harness.sql.routes import routes
from harness.sql.service import StatementService

__all__ = ["StatementService", "routes"]
