"""What Unity Catalog tells others."""

from collections.abc import Callable

from harness.names import FullName

CatalogCreated = Callable[[str], None]  # Spark must be told: it lists only catalogs it has met
TableDropped = Callable[[FullName], None]  # Spark must forget what it has cached under the name
ModelsChanged = Callable[[], None]  # workers must let go of what they have loaded: an alias may point elsewhere
