"""The way from Spark's driver to its JVM, and back."""

from typing import Any


def callable_jvm(spark: Any) -> Any:
    """Return the JVM of a classic session, able to call objects of this process that are given to it."""
    from pyspark.java_gateway import ensure_callback_server_started

    context = spark.sparkContext
    ensure_callback_server_started(context._gateway)  # noqa: SLF001 - pyspark has no public name for its gateway
    return context._jvm  # noqa: SLF001 - the same
