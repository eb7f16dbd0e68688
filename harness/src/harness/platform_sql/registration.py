"""The engine's side: what its parser leads here goes to the harness, and comes back as rows."""

import json
from typing import Any

from harness.ai_query.client import Connection
from harness.jvm import callable_jvm
from harness.platform_sql.model import PATH


def register(spark: Any, harness_url: str, token: str) -> None:
    """Answer the platform's own statements in every session."""
    jvm = callable_jvm(spark)
    jvm.harness.PlatformStatements.register(Asker(jvm, harness_url, token))


class Asker:
    """Answers Java's `harness.PlatformStatements.Asker`."""

    def __init__(self, jvm: Any, harness_url: str, token: str) -> None:
        self._answers = jvm.harness.PlatformStatements
        self._harness_url = harness_url
        self._token = token

    def ask(self, statement: str, values: Any, catalog: str, schema: str) -> Any:
        """Return the statement's rows, or why there are none."""
        connection = Connection(self._harness_url, self._token)
        body = json.dumps({"statement": statement, "values": list(values), "catalog": catalog, "schema": schema}).encode()
        try:
            status, content, _ = connection.send("POST", PATH, body)
            answer = json.loads(content)
        except (OSError, ValueError) as error:
            return self._answers.failed("HARNESS_UNREACHABLE", "58030", f"the harness did not answer: {error}")
        finally:
            connection.close()
        if status != 200:
            message = answer.get("message", f"the harness answered {status}")
            return self._answers.failed(answer.get("condition", "INTERNAL_ERROR"), answer.get("sql_state", "XX000"), message)
        return self._answers.rows(answer["schema"], answer["rows"])

    class Java:
        """Tells py4j what this object implements."""

        implements = ("harness.PlatformStatements$Asker",)
