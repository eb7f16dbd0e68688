"""The engine's side: what a query wants of an information schema is asked of the harness when the query is planned."""

from typing import Any
from urllib.parse import quote

from harness.ai_query.client import Connection
from harness.jvm import callable_jvm
from harness.unity.information import PATH, RELATIONS


def register(spark: Any, harness_url: str, token: str) -> None:
    """Let every catalog of every session have its `information_schema`."""
    jvm = callable_jvm(spark)
    relations = jvm.java.util.TreeMap()
    for name, relation in RELATIONS.items():
        relations.put(name, relation.ddl)
    jvm.harness.InformationSchema.register(relations, Source(harness_url, token))


class Source:
    """Answers Java's `harness.InformationSchema.Source`."""

    def __init__(self, harness_url: str, token: str) -> None:
        self._harness_url = harness_url
        self._token = token

    def rows(self, catalog: str, relation: str) -> str:
        """Return the rows as JSON: a list of lists, or an object that says why there are none."""
        connection = Connection(self._harness_url, self._token)
        try:
            _, content, _ = connection.send("GET", f"{PATH}/{quote(catalog, safe='')}/{quote(relation, safe='')}", b"")
        finally:
            connection.close()
        return content.decode()

    class Java:
        """Tells py4j what this object implements."""

        implements = ("harness.InformationSchema$Source",)
