"""Functions that SQL makes with a body in Python (`CREATE FUNCTION … LANGUAGE PYTHON`): compiled and called in Spark's workers."""
