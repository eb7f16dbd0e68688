"""What `databricks.sdk.runtime` looks for inside a task: the names a notebook or a task finds without importing them."""

from dbruntime.namespace import UserNamespaceInitializer

__all__ = ["UserNamespaceInitializer"]
