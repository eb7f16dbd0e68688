package harness;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.NoSuchViewException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.ViewAlreadyExistsException;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.Relation;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.TableInfo;
import org.apache.spark.sql.connector.catalog.TableSummary;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.connector.expressions.Transform;

/** A catalog of folders with the schema that no folder has: {@link InformationSchema}, which nobody may change. */
public final class InformationCatalog extends FolderCatalog {
  @Override
  public String[][] listNamespaces() {
    Stream<String[]> folders = Arrays.stream(super.listNamespaces()).filter(each -> !InformationSchema.is(each));
    return Stream.concat(folders, Stream.<String[]>of(new String[] {InformationSchema.NAME}))
        .sorted((one, other) -> one[0].compareTo(other[0]))
        .toArray(String[][]::new);
  }

  @Override
  public boolean namespaceExists(String[] namespace) {
    return InformationSchema.is(namespace) || super.namespaceExists(namespace);
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
    return InformationSchema.is(namespace)
        ? Map.of(SupportsNamespaces.PROP_COMMENT, "Information schema (auto-created)", SupportsNamespaces.PROP_OWNER, "System user")
        : super.loadNamespaceMetadata(namespace);
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata) throws NamespaceAlreadyExistsException {
    try {
      super.createNamespace(namespace, metadata);
    } catch (UncheckedIOException error) {
      if (namespaceExists(namespace)) { // another was first, by REST perhaps
        throw new NamespaceAlreadyExistsException(full(namespace));
      }
      throw error;
    }
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) throws NoSuchNamespaceException {
    requireOther(namespace);
    super.alterNamespace(namespace, changes);
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    requireOther(namespace);
    Path files = Path.of(SparkSession.active().sparkContext().hadoopConfiguration().get(MountedFiles.FOLDER));
    for (String kind : new String[] {"Volumes", "Models"}) {
      Folders others = new Folders(name(), files.resolve(kind).resolve(Folders.checked(name())));
      if (others.isSchema(namespace)) {
        if (!cascade && others.holdsAnything(namespace)) {
          throw new NonEmptyNamespaceException(full(namespace));
        }
        others.remove(others.of(namespace));
      }
    }
    return super.dropNamespace(namespace, cascade);
  }

  // ---- relations ----

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    return InformationSchema.is(namespace)
        ? InformationSchema.names().stream().map(name -> Identifier.of(namespace, name)).toArray(Identifier[]::new)
        : super.listTables(namespace);
  }

  @Override
  public TableSummary[] listTableSummaries(String[] namespace) throws NoSuchNamespaceException {
    return InformationSchema.is(namespace)
        ? Arrays.stream(listTables(namespace))
            .map(name -> TableSummary.of(name, TableSummary.VIEW_TABLE_TYPE))
            .toArray(TableSummary[]::new)
        : super.listTableSummaries(namespace);
  }

  @Override
  public boolean tableExists(Identifier name) {
    return InformationSchema.is(name.namespace()) ? InformationSchema.exists(name.name()) : super.tableExists(name);
  }

  @Override
  public Table loadTable(Identifier name) throws NoSuchTableException {
    return InformationSchema.is(name.namespace()) ? relation(name) : super.loadTable(name);
  }

  @Override
  public Relation loadRelation(Identifier name) throws NoSuchTableException {
    return InformationSchema.is(name.namespace()) ? relation(name) : super.loadRelation(name);
  }

  private Table relation(Identifier name) throws NoSuchTableException {
    if (!InformationSchema.exists(name.name())) {
      throw new NoSuchTableException(full(name));
    }
    return InformationSchema.table(name(), name.name());
  }

  // ---- what nobody may do with them ----

  @Override
  public Table createTable(Identifier name, TableInfo given) throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.createTable(name, given);
  }

  @Override
  public Table createTable(Identifier name, Column[] columns, Transform[] partitions, Map<String, String> properties)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.createTable(name, columns, partitions, properties);
  }

  @Override
  public Table createTableLike(Identifier name, TableInfo given, Table source)
      throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.createTableLike(name, given, source);
  }

  @Override
  public StagedTable stageCreate(Identifier name, TableInfo given) throws TableAlreadyExistsException, NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.stageCreate(name, given);
  }

  @Override
  public StagedTable stageReplace(Identifier name, TableInfo given) throws NoSuchNamespaceException, NoSuchTableException {
    requireOther(name.namespace());
    return super.stageReplace(name, given);
  }

  @Override
  public StagedTable stageCreateOrReplace(Identifier name, TableInfo given) throws NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.stageCreateOrReplace(name, given);
  }

  @Override
  public Table alterTable(Identifier name, TableChange... changes) throws NoSuchTableException {
    requireOther(name.namespace());
    return super.alterTable(name, changes);
  }

  @Override
  public boolean dropTable(Identifier name) {
    requireOther(name.namespace());
    return super.dropTable(name);
  }

  @Override
  public void renameTable(Identifier from, Identifier to) throws NoSuchTableException, TableAlreadyExistsException {
    requireOther(from.namespace());
    requireOther(here(to).namespace());
    super.renameTable(from, to);
  }

  @Override
  public View createView(Identifier name, View view) throws ViewAlreadyExistsException, NoSuchNamespaceException {
    requireOther(name.namespace());
    return super.createView(name, view);
  }

  @Override
  public void renameView(Identifier from, Identifier to) throws NoSuchViewException, ViewAlreadyExistsException {
    requireOther(here(to).namespace());
    super.renameView(from, to);
  }

  @Override
  void putFunction(Identifier name, ExpressionInfo info, String python) {
    requireOther(name.namespace());
    super.putFunction(name, info, python);
  }

  // Assumption: the condition and the wording
  private void requireOther(String[] namespace) {
    if (InformationSchema.is(namespace)) {
      throw Errors.unchecked(
          Errors.of("PERMISSION_DENIED", "42501", "Schema '" + name() + "." + InformationSchema.NAME + "' is owned by the system and cannot be changed."));
    }
  }
}
