"""Task values, through the `dbutils` of the running task."""


class DbutilsTaskValues:
    """`TaskValues` of this task in its job run."""

    def set(self, key: str, value: str | float | bool) -> None:  # noqa: FBT001 - a value, not a flag
        """Publish a value of this task."""
        from databricks.sdk.runtime import dbutils

        dbutils.jobs.taskValues.set(key=key, value=value)

    def get(self, task_key: str, key: str) -> str:
        """Return a value that a former task has published; it is an error when that task has not."""
        from databricks.sdk.runtime import dbutils

        # The SDK's stand-in outside a workspace returns nothing; the platform's returns the value.
        return str(dbutils.jobs.taskValues.get(taskKey=task_key, key=key))  # type: ignore[func-returns-value]
