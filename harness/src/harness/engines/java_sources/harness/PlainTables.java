package harness;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/**
 * What tables a catalog has and where: managed ones are folders with a Delta log, external ones have a record. Delta's catalog asks it.
 */
public class PlainTables extends Schemas implements TableCatalog {
  /** The keys of an external table's record; a Delta table says all but the first two itself. */
  private static final String PROVIDER = "provider";
  private static final String LOCATION = "location";
  private static final String SCHEMA = "schema";
  private static final String PARTITIONS = "partitions";
  private static final String PROPERTIES = "properties";

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    requireNamespace(namespace);
    Stream<Identifier> managed =
        Arrays.stream(folders().tables(namespace)).map(table -> Identifier.of(namespace, table));
    return Stream.concat(managed, Arrays.stream(records().list(Records.EXTERNAL, namespace)))
        .toArray(Identifier[]::new);
  }

  @Override
  public boolean tableExists(Identifier table) {
    return isName(table) && (folders().isTable(table) || records().exists(Records.EXTERNAL, table));
  }

  @Override
  public Table loadTable(Identifier table) throws NoSuchTableException {
    if (!isName(table)) {
      throw new NoSuchTableException(full(table));
    }
    if (folders().isTable(table)) {
      Logs.meet(folders(), table);
      return V1Tables.managed(name(), table, folders().location(folders().of(table)));
    }
    return external(table, records().find(Records.EXTERNAL, table).orElseThrow(() -> new NoSuchTableException(full(table))));
  }

  @SuppressWarnings("unchecked")
  private Table external(Identifier table, Map<String, Object> record) {
    return V1Tables.external(
        name(),
        table,
        (String) record.get(PROVIDER),
        (String) record.get(LOCATION),
        (StructType) DataType.fromJson((String) record.getOrDefault(SCHEMA, new StructType().json())),
        (List<String>) record.getOrDefault(PARTITIONS, List.of()),
        (Map<String, String>) record.getOrDefault(PROPERTIES, Map.of()));
  }

  @Override
  public Table createTable(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    return createTable(table, CatalogV2Util.v2ColumnsToStructType(columns), partitions, properties);
  }

  /** Called when the table's log has been written: there is nothing more to do for a managed one. */
  @Override
  public Table createTable(
      Identifier table, StructType schema, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    if (!folders().isTable(table)) {
      records().put(Records.EXTERNAL, table, record(schema, partitions, properties));
    }
    try {
      return loadTable(table);
    } catch (NoSuchTableException gone) {
      throw new IllegalStateException(gone);
    }
  }

  /** Remember a Delta table that lies elsewhere. */
  void record(Identifier table, Map<String, String> properties) {
    records().put(Records.EXTERNAL, table, record(new StructType(), new Transform[0], properties));
  }

  private static Map<String, Object> record(
      StructType schema, Transform[] partitions, Map<String, String> properties) {
    Map<String, Object> record = new HashMap<>();
    String provider = properties.get(PROP_PROVIDER);
    String location = properties.get(TableCatalog.PROP_LOCATION);
    record.put(PROVIDER, provider);
    record.put(LOCATION, location);
    if ("delta".equalsIgnoreCase(provider)) {
      return record;
    }
    Map<String, String> kept = new HashMap<>(properties);
    kept.keySet().removeAll(List.of(PROP_PROVIDER, TableCatalog.PROP_LOCATION, PROP_EXTERNAL));
    record.put(PROPERTIES, kept);
    record.put(SCHEMA, (schema.isEmpty() ? found(provider, location, kept) : schema).json());
    record.put(PARTITIONS, Arrays.stream(partitions).map(each -> each.references()[0].fieldNames()[0]).toList());
    return record;
  }

  private static StructType found(String provider, String location, Map<String, String> properties) {
    return SparkSession.active().read().format(provider).options(V1Tables.options(properties)).load(location).schema();
  }

  /** Return the properties of an external table, whose location must not be where managed tables lie. */
  Map<String, String> elsewhere(Identifier table, Map<String, String> properties) {
    Path location = new Path(properties.get(TableCatalog.PROP_LOCATION));
    if (location.toUri().getPath().startsWith(folders().root() + "/")
        || MountedFiles.WAREHOUSE_SCHEME.equals(location.toUri().getScheme())) {
      throw Errors.unchecked(
          Errors.of(
              "LOCATION_OVERLAP", // Assumption: the wording
              "42000",
              "Input path url '" + location + "' of " + told(table) + " overlaps with managed storage."));
    }
    return records().exists(Records.EXTERNAL, table) ? asBefore(table, properties) : properties;
  }

  /** Return the properties of an external table that is made anew in its place. */
  Map<String, String> asBefore(Identifier table, Map<String, String> properties) {
    Map<String, String> located = new HashMap<>(properties);
    located.putIfAbsent(
        TableCatalog.PROP_LOCATION, (String) records().find(Records.EXTERNAL, table).orElseThrow().get(LOCATION));
    located.put(PROP_IS_MANAGED_LOCATION, "true"); // or Delta would have Spark's session catalog told, which does not know the table
    return located;
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) {
    throw new UnsupportedOperationException(
        told(table) + ": only Delta tables can be altered");
  }

  @Override
  public boolean dropTable(Identifier table) {
    if (!tableExists(table)) {
      return false;
    }
    if (!records().remove(Records.EXTERNAL, table)) {
      Logs.forget(folders(), table);
      folders().remove(folders().of(table));
    }
    return true;
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    if (records().exists(Records.EXTERNAL, from)) {
      records().move(Records.EXTERNAL, from, to);
      return;
    }
    folders().move(folders().of(from), folders().of(to));
    Logs.forget(folders(), from);
    Logs.forget(folders(), to);
  }
}
