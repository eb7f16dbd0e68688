"""Makes calls of Python functions Spark's, in the driver, through py4j."""

from typing import Any

import msgspec

from harness.jvm import callable_jvm
from harness.python_functions.body import BodyError, Calls, Told, function

_decode = msgspec.json.Decoder(Told).decode


def register(spark: Any) -> None:
    """Let every session call the functions that catalogs hold."""
    jvm = callable_jvm(spark)
    jvm.harness.PythonFunctions.register(Binder(jvm))


class Binder:
    """Answers Java's `harness.AiQuery.Binder`: the first argument tells the function, the others are its own."""

    def __init__(self, jvm: Any) -> None:
        self._jvm = jvm

    def bind(self, arguments: Any) -> Any:
        """Return the call, or the error to raise."""
        told, *values = list(arguments)
        try:
            return self._jvm.harness.AiQuery.found(self._call(_decode(bytes.fromhex(told.eval(None).toString())), values))
        except BodyError as error:
            # Assumption: a body is compiled when the function is made, and is refused in the words of one that fails later.
            return self._jvm.harness.AiQuery.failed("UDF_USER_CODE_ERROR.GENERIC", "39000", str(error))

    def _call(self, told: Told, values: list[Any]) -> Any:
        from pyspark.sql.types import _parse_datatype_json_string
        from pyspark.sql.udf import UserDefinedFunction
        from pyspark.util import PythonEvalType

        function(told)
        type_ = _parse_datatype_json_string(self._jvm.org.apache.spark.sql.types.DataType.fromDDL(told.returns).json())
        calls = Calls(told)
        udf = UserDefinedFunction(
            calls, type_, name=told.name, evalType=PythonEvalType.SQL_ARROW_BATCHED_UDF, deterministic=told.deterministic
        )
        return udf._judf.builder(self._jvm.PythonUtils.toSeq(values))  # noqa: SLF001 - the only way from an expression to a UDF call

    class Java:
        """Tells py4j what this object implements."""

        implements = ("harness.AiQuery$Binder",)
