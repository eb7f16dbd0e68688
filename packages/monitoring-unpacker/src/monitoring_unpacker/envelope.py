from typing import Final

ENVELOPE: Final = (
    ("databricks_request_id", "STRING"),
    ("client_request_id", "STRING"),
    ("request_time", "TIMESTAMP"),
    ("request_date", "DATE"),
    ("status_code", "INT"),
    ("served_entity_id", "STRING"),
)
"""The columns of an inference table that stay with each row unpacked from it, and their SQL types."""
