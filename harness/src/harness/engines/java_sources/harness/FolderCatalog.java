package harness;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Relation;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.TableSummary;
import org.apache.spark.sql.connector.catalog.V1Table;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.connector.catalog.constraints.Constraint;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.catalog.DeltaCatalog;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * A catalog whose tables are folders: {@code catalog.schema.table} is {@code <root>/catalog/schema/table} with a Delta log. Nothing is
 * remembered besides, so what there is survives a restart, and what others (delta-rs) write is there at once.
 *
 * <p>Delta's own catalog does the work with tables; {@link PlainTables} tells it which there are.
 */
public class FolderCatalog extends Views implements StagingTableCatalog {
  private static final Map<String, String> NO_SERVER = Map.of("deltaRestApi.enabled", "false"); // of Unity Catalog's own kind

  private PlainTables tables;
  private DeltaCatalog delta;

  @Override
  public void initialize(String catalogName, CaseInsensitiveStringMap options) {
    super.initialize(catalogName, options);
    tables = new io.unitycatalog.harness.Delegate();
    tables.initialize(catalogName, options);
    delta = new DeltaCatalog();
    delta.setDelegateCatalog(tables);
    delta.initialize(catalogName, new CaseInsensitiveStringMap(NO_SERVER));
  }

  @Override
  public Set<TableCatalogCapability> capabilities() {
    Set<TableCatalogCapability> capabilities = new HashSet<>(delta.capabilities());
    capabilities.add(TableCatalogCapability.SUPPORT_TABLE_CONSTRAINT);
    return capabilities;
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    return tables.listTables(namespace);
  }

  @Override
  public TableSummary[] listTableSummaries(String[] namespace) throws NoSuchNamespaceException {
    return Arrays.stream(listTables(namespace)).map(this::summary).toArray(TableSummary[]::new);
  }

  private TableSummary summary(Identifier table) {
    boolean isManaged = folders().isTable(table);
    return TableSummary.of(table, isManaged ? TableSummary.MANAGED_TABLE_TYPE : TableSummary.EXTERNAL_TABLE_TYPE);
  }

  @Override
  public boolean tableExists(Identifier table) {
    return delta.tableExists(table);
  }

  @Override
  public Relation loadRelation(Identifier name) throws NoSuchTableException {
    Optional<View> view = view(name);
    return view.isPresent() ? view.get() : loadTable(name);
  }

  @Override
  public Table loadTable(Identifier table) throws NoSuchTableException {
    return KeyedTable.of(delta.loadTable(table));
  }

  @Override
  public Table loadTable(Identifier table, String version) throws NoSuchTableException {
    return delta.loadTable(table, version);
  }

  @Override
  public Table loadTable(Identifier table, long timestamp) throws NoSuchTableException {
    return delta.loadTable(table, timestamp);
  }

  @Override
  public Table createTable(Identifier table, TableInfo given)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    return createTable(table, columns(given), given.partitions(), properties(given));
  }

  @Override
  public Table createTable(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireNew(table);
    return delta.createTable(table, DefaultStrings.of(columns), partitions, located(table, properties));
  }

  @Override
  public Table createTableLike(Identifier table, TableInfo given, Table source)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    Map<String, String> properties = new HashMap<>(given.properties());
    String provider = properties.get(PROP_PROVIDER);
    if (!(source instanceof DeltaTableV2 like) || (provider != null && !provider.equalsIgnoreCase("delta"))) {
      if (source instanceof V1Table other && other.catalogTable().provider().isDefined()) {
        properties.putIfAbsent(PROP_PROVIDER, other.catalogTable().provider().get());
      }
      return createTable(table, columns(given), given.partitions(), properties);
    }
    requireNew(table);
    Option<String> location = Option.apply(properties.get(TableCatalog.PROP_LOCATION));
    properties.keySet().removeAll(CollectionConverters.asJava(CatalogV2Util.TABLE_RESERVED_PROPERTIES()));
    TableLike.make(SparkSession.active(), like.initialSnapshot(), place(table, location), properties, location.isEmpty());
    placed(table, location);
    try {
      return loadTable(table);
    } catch (NoSuchTableException gone) {
      throw new IllegalStateException(gone);
    }
  }

  @Override
  public StagedTable stageCreate(Identifier table, TableInfo given)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireNew(table);
    return delta.stageCreate(table, columns(given), given.partitions(), located(table, properties(given)));
  }

  @Override
  public StagedTable stageReplace(Identifier table, TableInfo given)
      throws NoSuchNamespaceException, NoSuchTableException {
    Map<String, String> properties = located(table, properties(given));
    if (!tableExists(table)) {
      throw new NoSuchTableException(full(table));
    }
    return delta.stageReplace(table, columns(given), given.partitions(), properties);
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier table, TableInfo given)
      throws NoSuchNamespaceException {
    Map<String, String> properties = located(table, properties(given));
    if (isName(table) && viewExists(table)) {
      throw new IllegalArgumentException(told(table) + ": a view has this name; drop it, or choose another name");
    }
    return delta.stageCreateOrReplace(table, columns(given), given.partitions(), properties);
  }

  private static Column[] columns(TableInfo given) {
    return Keys.required(DefaultStrings.of(given.columns()), given.constraints());
  }

  private Map<String, String> properties(TableInfo given) {
    Map<String, String> properties = new HashMap<>(given.properties());
    for (Constraint constraint : given.constraints()) {
      properties.put(Keys.property(constraint), Keys.value(constraint, this));
    }
    return properties;
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) throws NoSuchTableException {
    if (!tableExists(table)) {
      throw new NoSuchTableException(full(table));
    }
    for (TableChange change : changes) {
      if (change instanceof TableChange.SetProperty set && set.property().equals(TableCatalog.PROP_LOCATION)) {
        throw new UnsupportedOperationException(told(table) + ": SET LOCATION is not emulated; drop it and create it there");
      }
    }
    TableChange[] known = Keys.translated(loadTable(table), changes, this);
    return delta.alterTable(table, Arrays.stream(known).map(DefaultStrings::of).toArray(TableChange[]::new));
  }

  @Override
  public boolean dropTable(Identifier table) {
    return tables.dropTable(table);
  }

  @Override
  public void renameTable(Identifier from, Identifier to)
      throws NoSuchTableException, TableAlreadyExistsException {
    Identifier target = here(to);
    if (!tableExists(from)) {
      throw new NoSuchTableException(full(from));
    }
    requireFree(target);
    tables.renameTable(from, target);
  }

  @Override
  public void invalidateTable(Identifier table) {
    // nothing is remembered
  }

  private void requireNew(Identifier table) throws TableAlreadyExistsException, NoSuchNamespaceException {
    if (isPath(table)) {
      return;
    }
    Folders.checked(table.name());
    requireNamespace(table.namespace());
    requireFree(table);
    Logs.forget(folders(), table);
  }

  private void requireFree(Identifier table) throws TableAlreadyExistsException {
    if (tableExists(table) || viewExists(table)) {
      throw new TableAlreadyExistsException(full(table));
    }
  }

  /** Return a table's properties with where it lies; only Delta's can lie where Spark says. */
  private Map<String, String> located(Identifier table, Map<String, String> properties)
      throws NoSuchNamespaceException {
    if (isPath(table)) {
      return properties;
    }
    requireNamespace(table.namespace());
    if (properties.containsKey(TableCatalog.PROP_LOCATION)) {
      return tables.elsewhere(table, properties);
    }
    if (records().exists(Records.EXTERNAL, table)) {
      return tables.asBefore(table, properties);
    }
    String provider = properties.getOrDefault(PROP_PROVIDER, "delta");
    if (!provider.equalsIgnoreCase("delta")) {
      throw new UnsupportedOperationException(
          told(table) + ": USING " + provider + " needs a LOCATION; expected USING delta without one");
    }
    Map<String, String> located = new HashMap<>(properties);
    located.put(TableCatalog.PROP_LOCATION, folders().location(folders().of(table)));
    located.put(PROP_IS_MANAGED_LOCATION, "true");
    return located;
  }

  /** Return where a table's files lie, or will lie when a clone is made. */
  Path place(Identifier table, Option<String> location) throws NoSuchNamespaceException, TableAlreadyExistsException {
    if (isPath(table)) {
      return new Path(table.name());
    }
    Folders.checked(table.name());
    if (viewExists(table)) {
      throw new TableAlreadyExistsException(full(table));
    }
    Map<String, String> given = location.isDefined() ? Map.of(TableCatalog.PROP_LOCATION, location.get()) : Map.of();
    return new Path(located(table, given).get(TableCatalog.PROP_LOCATION));
  }

  /** Remember an external table that a clone has made. */
  void placed(Identifier table, Option<String> location) {
    if (location.isDefined()) {
      becameDelta(table, location.get());
    }
  }

  /** Remember that an external table is Delta's now, or is there now. */
  void becameDelta(Identifier table, String location) {
    tables.record(table, Map.of(PROP_PROVIDER, "delta", TableCatalog.PROP_LOCATION, location));
  }

  private static boolean isPath(Identifier table) {
    return table.namespace().length == 1
        && table.namespace()[0].equalsIgnoreCase("delta")
        && table.name().contains("/"); // delta.`/a/path`
  }
}
