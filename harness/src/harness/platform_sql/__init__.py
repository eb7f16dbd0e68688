"""SQL of Unity Catalog that Spark does not parse: read, carried out over the same catalog as REST, and answered as rows."""
