# ruff: noqa: S608 - table and column names cannot be parameters; every part is quoted by `quoted` and `literal`
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitoring_unpacker.tables import literal, quoted

if TYPE_CHECKING:
    from monitoring_unpacker.tables import Tables


@dataclass(frozen=True, slots=True)
class Source:
    """Which logged requests to read.

    Attributes:
        until: the payload table's version.
        after: with it, what was appended since this version, as the change feed tells it; None for all.
        unknown_only: all but those that stand in the processed table or in quarantine: for payload tables without a change feed.
        days: bounds of `request_date`, as SQL, that spare reading the texts of other days.
    """

    until: int
    after: int | None = None
    unknown_only: bool = False
    days: str | None = None

    def logged(self, tables: "Tables") -> str:
        """Return the query of logged requests, an id perhaps more than once: delivery is at least once.

        A row without an id gets one made of its content.
        """
        fallback = "CONCAT('unidentified-', SHA2(CONCAT_WS('|', CAST(request_time AS STRING), client_request_id, request, response), 256))"
        query = (
            f"SELECT COALESCE(databricks_request_id, {fallback}) AS databricks_request_id, client_request_id, request_time, "
            "COALESCE(request_date, CAST(request_time AS DATE)) AS request_date, CAST(status_code AS INT) AS status_code, "
            f"served_entity_id, request, response {self._from(tables)}"
        )
        if not self.unknown_only:
            return query
        return f"SELECT logged.* FROM ({query}) AS logged LEFT ANTI JOIN ({self._known_ids(tables)}) USING (databricks_request_id)"

    def identities(self, tables: "Tables") -> str:
        """Return the query of ids, served entities and days of the logged requests; it reads no texts."""
        query = f"SELECT databricks_request_id, served_entity_id, request_date {self._from(tables)}"
        if not self.unknown_only:
            return query
        return f"SELECT logged.* FROM ({query}) AS logged LEFT ANTI JOIN ({self._known_ids(tables)}) USING (databricks_request_id)"

    def _from(self, tables: "Tables") -> str:
        if self.after is None or self.unknown_only:
            days = f"request_date IS NULL OR request_date BETWEEN {self.days}" if self.days else "TRUE"
            return f"FROM {quoted(tables.payload)} VERSION AS OF {self.until} AS payload WHERE ({days}){tables.in_use(' AND ')}"
        changes = f"table_changes({literal(quoted(tables.payload))}, {self.after + 1}, {self.until})"
        return f"FROM {changes} WHERE _change_type = 'insert'{tables.in_use(' AND ')}"

    @staticmethod
    def _known_ids(tables: "Tables") -> str:
        return " UNION ALL ".join(f"SELECT databricks_request_id FROM {quoted(table)}" for table in (tables.processed, tables.quarantine))
