package harness;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchViewException;
import org.apache.spark.sql.catalyst.analysis.ViewAlreadyExistsException;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.RelationCatalog;
import org.apache.spark.sql.connector.catalog.View;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;

/** The views of a catalog: a record each, that says what Spark has found out about the query. */
abstract class Views extends Functions implements RelationCatalog {
  @Override
  public Identifier[] listViews(String[] namespace) throws NoSuchNamespaceException {
    requireNamespace(namespace);
    return records().list(Records.VIEWS, namespace);
  }

  @Override
  public boolean viewExists(Identifier name) {
    return isName(name) && records().exists(Records.VIEWS, name);
  }

  @Override
  public View loadView(Identifier name) throws NoSuchViewException {
    return view(name).orElseThrow(() -> new NoSuchViewException(full(name)));
  }

  Optional<View> view(Identifier name) {
    return record(Records.VIEWS, name).map(Views::view);
  }

  @SuppressWarnings("unchecked")
  private static View view(Map<String, Object> record) {
    View.Builder builder = new View.Builder();
    builder.withSchema((StructType) DataType.fromJson((String) record.get("schema")));
    builder.withProperties((Map<String, String>) record.get("properties"));
    return builder
        .withQueryText((String) record.get("query"))
        .withCurrentCatalog((String) record.get("current_catalog"))
        .withCurrentNamespace(strings(record.get("current_namespace")))
        .withSqlConfigs((Map<String, String>) record.get("sql_configs"))
        .withSchemaMode((String) record.get("schema_mode"))
        .withQueryColumnNames(strings(record.get("query_columns")))
        .build();
  }

  @Override
  public View createView(Identifier name, View view)
      throws ViewAlreadyExistsException, NoSuchNamespaceException {
    Folders.checked(name.name());
    requireNamespace(name.namespace());
    requireNone(name);
    return put(name, view);
  }

  @Override
  public View replaceView(Identifier name, View view) throws NoSuchViewException {
    loadView(name);
    return put(name, view);
  }

  @Override
  public boolean dropView(Identifier name) {
    return viewExists(name) && records().remove(Records.VIEWS, name);
  }

  @Override
  public void renameView(Identifier from, Identifier to)
      throws NoSuchViewException, ViewAlreadyExistsException {
    Identifier target = here(to);
    loadView(from);
    requireNone(target);
    records().move(Records.VIEWS, from, target);
  }

  private void requireNone(Identifier name) throws ViewAlreadyExistsException {
    if (viewExists(name) || tableExists(name)) {
      throw new ViewAlreadyExistsException(full(name));
    }
  }

  private View put(Identifier name, View view) {
    Map<String, Object> record = new HashMap<>();
    record.put("schema", DefaultStrings.of(view.schema()).json());
    record.put("properties", view.properties());
    record.put("query", view.queryText());
    record.put("current_catalog", view.currentCatalog());
    record.put("current_namespace", Arrays.asList(view.currentNamespace()));
    record.put("sql_configs", view.sqlConfigs());
    record.put("schema_mode", view.schemaMode());
    record.put("query_columns", Arrays.asList(view.queryColumnNames()));
    records().put(Records.VIEWS, name, record);
    return view(record);
  }

  @SuppressWarnings("unchecked")
  private static String[] strings(Object list) {
    return ((List<String>) list).toArray(String[]::new);
  }
}
