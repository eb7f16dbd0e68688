package harness;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.StagingTableCatalog;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableCatalogCapability;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog whose tables are folders: {@code catalog.schema.table} is {@code <root>/catalog/schema/table} with a Delta log.
 *
 * <p>Delta's own session catalog does the work. It knows schema {@code s} of catalog {@code c} as {@code c__s} and is filled on first
 * use from what the folders hold, so tables survive a restart and tables written by others (delta-rs) are there at once.
 */
public final class FolderCatalog implements StagingTableCatalog, SupportsNamespaces {
  private String name;
  private Folders folders;

  @Override
  public void initialize(String catalogName, CaseInsensitiveStringMap options) {
    name = catalogName;
    Path root = Paths.get(options.get("root"));
    folders = new Folders(name, root.resolve(Folders.checked(catalogName)));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String[] defaultNamespace() {
    return new String[] {"default"};
  }

  @Override
  public Set<TableCatalogCapability> capabilities() {
    return tables().capabilities();
  }

  // ---- tables ----

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    requireNamespace(namespace);
    return Arrays.stream(folders.tables(namespace))
        .map(table -> Identifier.of(namespace, table))
        .toArray(Identifier[]::new);
  }

  @Override
  public boolean tableExists(Identifier table) {
    if (isPath(table)) {
      return tables().tableExists(table);
    }
    return isOneSchema(table.namespace()) && folders.isTable(table);
  }

  @Override
  public Table loadTable(Identifier table) throws NoSuchTableException {
    return tables().loadTable(known(table));
  }

  @Override
  public Table loadTable(Identifier table, String version) throws NoSuchTableException {
    return tables().loadTable(known(table), version);
  }

  @Override
  public Table loadTable(Identifier table, long timestamp) throws NoSuchTableException {
    return tables().loadTable(known(table), timestamp);
  }

  @Override
  public Table createTable(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireNew(table, properties);
    return tables().createTable(inner(table), columns, partitions, properties);
  }

  @Override
  public StagedTable stageCreate(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireNew(table, properties);
    return tables().stageCreate(inner(table), columns, partitions, properties);
  }

  @Override
  public StagedTable stageReplace(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws NoSuchNamespaceException, NoSuchTableException {
    requireManagedDelta(table, properties);
    return tables().stageReplace(known(table), columns, partitions, properties);
  }

  @Override
  public StagedTable stageCreateOrReplace(
      Identifier table, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws NoSuchNamespaceException {
    requireManagedDelta(table, properties);
    meetTable(table);
    return tables().stageCreateOrReplace(inner(table), columns, partitions, properties);
  }

  @Override
  public Table alterTable(Identifier table, TableChange... changes) throws NoSuchTableException {
    return tables().alterTable(known(table), changes);
  }

  @Override
  public boolean dropTable(Identifier table) {
    if (isPath(table) || !tableExists(table)) {
      return false;
    }
    forget(table);
    folders.remove(folders.of(table));
    return true;
  }

  @Override
  public void renameTable(Identifier from, Identifier to)
      throws NoSuchTableException, TableAlreadyExistsException {
    Identifier target = withoutCatalog(to);
    if (!tableExists(from)) {
      throw new NoSuchTableException(full(from));
    }
    if (tableExists(target)) {
      throw new TableAlreadyExistsException(target);
    }
    folders.move(folders.of(from), folders.of(target));
    forget(from); // last: forgetting a managed table removes its folder
  }

  @Override
  public void invalidateTable(Identifier table) {
    tables().invalidateTable(inner(table));
  }

  // ---- schemas ----

  @Override
  public String[][] listNamespaces() {
    return Arrays.stream(folders.schemas())
        .map(schema -> new String[] {schema})
        .toArray(String[][]::new);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) {
    return namespace.length == 0 ? listNamespaces() : new String[0][];
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    return namespace.length == 0 || (isOneSchema(namespace) && folders.isSchema(namespace));
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace)
      throws NoSuchNamespaceException {
    requireNamespace(namespace);
    return namespaces().loadNamespaceMetadata(inner(namespace));
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata)
      throws NamespaceAlreadyExistsException {
    if (!isOneSchema(namespace)) {
      throw new IllegalArgumentException(
          "schema " + name + "." + String.join(".", namespace) + ": expected catalog.schema");
    }
    if (namespaceExists(namespace)) {
      throw new NamespaceAlreadyExistsException(full(namespace));
    }
    forgetNamespace(namespace); // in case others removed its folder
    folders.make(folders.of(namespace));
    Map<String, String> located = new HashMap<>(metadata);
    located.put("location", folders.of(namespace).toUri().toString());
    namespaces().createNamespace(inner(namespace), located);
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes)
      throws NoSuchNamespaceException {
    requireNamespace(namespace);
    namespaces().alterNamespace(inner(namespace), changes);
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    requireNamespace(namespace);
    if (!cascade && folders.tables(namespace).length > 0) {
      throw new NonEmptyNamespaceException(full(namespace));
    }
    forgetNamespace(namespace);
    folders.remove(folders.of(namespace));
    return true;
  }

  // ---- the session catalog behind, a copy of what has been touched ----

  private static CatalogPlugin session() {
    return SparkSession.active().sessionState().catalogManager().v2SessionCatalog();
  }

  private static StagingTableCatalog tables() {
    return (StagingTableCatalog) session();
  }

  private static SupportsNamespaces namespaces() {
    return (SupportsNamespaces) session();
  }

  /** Make the session catalog agree with the folder of this schema. */
  private void meetNamespace(String[] namespace) {
    if (!isOneSchema(namespace)
        || !folders.isSchema(namespace)
        || namespaces().namespaceExists(inner(namespace))) {
      return;
    }
    Map<String, String> location = Map.of("location", folders.of(namespace).toUri().toString());
    try {
      namespaces().createNamespace(inner(namespace), location);
    } catch (NamespaceAlreadyExistsException raced) {
      // Another session met it first: the wanted state.
    }
  }

  /** Make the session catalog agree with the folder of this table: known if it is there, unknown if it is not. */
  private void meetTable(Identifier table) {
    if (isPath(table) || !isOneSchema(table.namespace())) {
      return;
    }
    meetNamespace(table.namespace());
    boolean there = folders.isTable(table);
    boolean met = tables().tableExists(inner(table));
    if (met && !there) {
      forget(table);
    }
    if (there && !met) {
      Map<String, String> properties =
          Map.of("provider", "delta", "location", folders.of(table).toUri().toString());
      try {
        tables().createTable(inner(table), new Column[0], new Transform[0], properties);
      } catch (TableAlreadyExistsException raced) {
        // Another session met it first: the wanted state.
      } catch (NoSuchNamespaceException gone) {
        throw new IllegalStateException(gone);
      }
    }
  }

  /** Return the session catalog's name of a table that exists. */
  private Identifier known(Identifier table) throws NoSuchTableException {
    if (!isPath(table) && !tableExists(table)) {
      throw new NoSuchTableException(full(table));
    }
    meetTable(table);
    return inner(table);
  }

  private void forget(Identifier table) {
    if (tables().tableExists(inner(table))) {
      var catalog = SparkSession.active().sessionState().catalog();
      Identifier inner = inner(table);
      // The plain session catalog: Delta's would read the log, which may be gone.
      catalog.dropTable(
          new org.apache.spark.sql.catalyst.TableIdentifier(
              inner.name(), scala.Option.apply(inner.namespace()[0])),
          true,
          false);
    }
    tables().invalidateTable(inner(table));
  }

  private void forgetNamespace(String[] namespace) {
    if (namespaces().namespaceExists(inner(namespace))) {
      SparkSession.active().sessionState().catalog().dropDatabase(inner(namespace)[0], true, true);
    }
  }

  // ---- names ----

  private static boolean isPath(Identifier table) {
    return table.namespace().length == 1 && table.name().startsWith("/"); // delta.`/a/path`
  }

  private static boolean isOneSchema(String[] namespace) {
    return namespace.length == 1;
  }

  private String[] inner(String[] namespace) {
    return isOneSchema(namespace)
        ? new String[] {Folders.checked(name) + "__" + Folders.checked(namespace[0])}
        : namespace;
  }

  private Identifier inner(Identifier table) {
    return isPath(table)
        ? table
        : Identifier.of(inner(table.namespace()), Folders.checked(table.name()));
  }

  private Identifier withoutCatalog(Identifier table) {
    String[] namespace = table.namespace();
    return namespace.length == 2 && namespace[0].equalsIgnoreCase(name)
        ? Identifier.of(new String[] {namespace[1]}, table.name())
        : table;
  }

  private String[] full(String[] namespace) {
    String[] parts = new String[namespace.length + 1];
    parts[0] = name;
    System.arraycopy(namespace, 0, parts, 1, namespace.length);
    return parts;
  }

  private Identifier full(Identifier table) {
    return Identifier.of(full(table.namespace()), table.name());
  }

  // ---- rules ----

  private void requireNamespace(String[] namespace) throws NoSuchNamespaceException {
    if (!namespaceExists(namespace)) {
      throw new NoSuchNamespaceException(full(namespace));
    }
    meetNamespace(namespace);
  }

  private void requireNew(Identifier table, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireManagedDelta(table, properties);
    if (tableExists(table)) {
      throw new TableAlreadyExistsException(full(table));
    }
    meetTable(table);
  }

  private void requireManagedDelta(Identifier table, Map<String, String> properties)
      throws NoSuchNamespaceException {
    if (isPath(table)) {
      return;
    }
    requireNamespace(table.namespace());
    String provider = properties.getOrDefault(TableCatalog.PROP_PROVIDER, "delta");
    if (!provider.equalsIgnoreCase("delta")) {
      throw new UnsupportedOperationException(
          "table " + String.join(".", full(table.namespace())) + "." + table.name()
              + ": USING " + provider + " is not emulated; expected USING delta");
    }
    if (properties.containsKey(TableCatalog.PROP_LOCATION)) {
      throw new UnsupportedOperationException(
          "table " + String.join(".", full(table.namespace())) + "." + table.name()
              + ": LOCATION (an external table) is not emulated; leave LOCATION out");
    }
  }
}
