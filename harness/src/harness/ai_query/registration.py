"""Makes `ai_query` a function of Spark's own: called at analysis with the argument expressions, it answers a UDF of the right type."""

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from harness.ai_query import model
from harness.ai_query.client import Connection, scorer
from harness.ai_query.model import AiQueryError, Settings
from harness.jvm import callable_jvm

log = logging.getLogger(__name__)


def register(spark: Any, harness_url: str, token: str) -> None:
    """Register `ai_query` for every session opened from now on: classic ones and Spark Connect's."""
    jvm = callable_jvm(spark)
    jvm.harness.AiQuery.register(Binder(spark, jvm, harness_url, token))


class Binder:
    """Answers Java's `harness.AiQuery.Binder`."""

    def __init__(self, spark: Any, jvm: Any, harness_url: str, token: str) -> None:
        self._spark = spark
        self._jvm = jvm
        self._harness_url = harness_url
        self._token = token

    def bind(self, arguments: Any) -> Any:
        """Return the UDF for these arguments, or the error to raise."""
        try:
            return self._jvm.harness.AiQuery.found(self._expression(list(arguments)))
        except AiQueryError as error:
            return self._jvm.harness.AiQuery.failed(error.condition, error.sql_state, error.message)

    def _expression(self, arguments: list[Any]) -> Any:
        bound = model.bind([_named(argument) for argument in arguments], _text)
        endpoint = _required_text(bound, "endpoint")
        self._look_up(endpoint)
        _refuse_what_custom_models_lack(bound, endpoint)
        request = bound["request"]
        document = self._document(endpoint) if "returnType" not in bound or not _is_struct(request) else ""
        type_ = self._type(_required_text(bound, "returnType") if "returnType" in bound else model.return_type(endpoint, document))
        fail_on_error = _literal(bound["failOnError"]) is not False if "failOnError" in bound else True
        settings = Settings(
            harness_url=self._harness_url,
            token=self._token,
            endpoint=endpoint,
            column=model.first_input(document),
            return_type=type_,
            fail_on_error=fail_on_error,
        )
        return self._udf(settings, request)

    def _udf(self, settings: Settings, request: Any) -> Any:
        from pyspark.sql.types import StringType, StructField, StructType, _parse_datatype_json_string
        from pyspark.sql.udf import UserDefinedFunction
        from pyspark.util import PythonEvalType

        type_ = _parse_datatype_json_string(settings.return_type)
        if not settings.fail_on_error:
            type_ = StructType([StructField("result", type_), StructField("errorMessage", StringType())])
        udf = UserDefinedFunction(scorer(settings), type_, name="ai_query", evalType=PythonEvalType.SQL_SCALAR_ARROW_ITER_UDF)
        return udf._judf.builder(self._jvm.PythonUtils.toSeq([request]))  # noqa: SLF001 - the only way from an expression to a UDF call

    def _look_up(self, endpoint: str) -> None:
        # The platform looks the endpoint up at analysis: github.com/databricks-demos/dbdemos/issues/220
        status, body = self._get(f"/api/2.0/serving-endpoints/{quote(endpoint, safe='')}")
        if status != 200:
            raise model.http_failed(status, body)

    def _document(self, endpoint: str) -> str:
        status, body = self._get(f"/api/2.0/serving-endpoints/{quote(endpoint, safe='')}/openapi")
        return body if status == 200 else json.dumps({"status": status, "body": body})

    def _get(self, path: str) -> tuple[int, str]:
        connection = Connection(self._harness_url, self._token)
        try:
            status, body, _ = connection.send("GET", path)
        except OSError as error:
            raise model.http_failed(503, f"{self._harness_url}: {error}") from error
        finally:
            connection.close()
        return status, body.decode(errors="replace")

    def _type(self, ddl: str) -> str:
        from pyspark.errors import ParseException

        try:
            return str(self._jvm.org.apache.spark.sql.types.DataType.fromDDL(ddl).json())
        except ParseException as error:
            message = f"AI function does not support {ddl!r} as return type; expected the DDL of one row's type, such as 'DOUBLE'."
            raise AiQueryError("AI_FUNCTION_UNSUPPORTED_RETURN_TYPE", "0A000", message) from error

    class Java:
        """Tells py4j what this object implements."""

        implements = ("harness.AiQuery$Binder",)


def _named(expression: Any) -> tuple[str | None, Any]:
    if expression.getClass().getSimpleName() == "NamedArgumentExpression":
        return str(expression.key()), expression.value()
    return None, expression


def _literal(expression: Any) -> object:
    if not expression.foldable():
        message = f"The arguments of ai_query but request must be constants; found {expression.sql()}."
        raise AiQueryError("NON_FOLDABLE_ARGUMENT", "42K08", message)
    value = expression.eval(None)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value.toString())


def _text(expression: Any) -> str | None:
    value = _literal(expression) if expression.foldable() else None
    return value if isinstance(value, str) else None


def _required_text(bound: Mapping[str, Any], name: str) -> str:
    value = _literal(bound[name])
    if not isinstance(value, str) or not value:
        message = f"The argument {name} of ai_query must be a string that is not empty; found {bound[name].sql()}."
        raise AiQueryError("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "42K09", message)
    return value


def _is_struct(expression: Any) -> bool:
    return str(expression.dataType().typeName()) == "struct"


def _refuse_what_custom_models_lack(bound: Mapping[str, Any], endpoint: str) -> None:
    if "modelParameters" in bound:
        raise model.model_parameters_error(endpoint)
    for name in ("responseFormat", "files"):
        if name in bound:
            message = f"ai_query's {name} (chat models) is not emulated by the harness; leave it out."
            raise AiQueryError("UNSUPPORTED_FEATURE", "0A000", message)
