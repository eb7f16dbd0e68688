package io.unitycatalog.harness;

import harness.PlainTables;

/**
 * {@link PlainTables} under a name that begins as Unity Catalog's own: only then does Delta's catalog leave it to what it delegates to
 * what tables there are, and call them by all three parts of their names.
 */
public final class Delegate extends PlainTables {}
