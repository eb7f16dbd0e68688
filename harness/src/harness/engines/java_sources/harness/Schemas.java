package harness;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.apache.spark.sql.catalyst.analysis.NamespaceAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NonEmptyNamespaceException;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** The schemas of a catalog: folders. */
abstract class Schemas implements SupportsNamespaces {
  private static final String PROPERTIES = "properties";

  private String name;
  private Folders folders;
  private Records records;

  @Override
  public void initialize(String catalogName, CaseInsensitiveStringMap options) {
    name = catalogName;
    Path root = Paths.get(options.get("root"));
    folders = new Folders(Folders.checked(catalogName), root.resolve(Folders.checked(catalogName)));
    records = new Records(folders);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String[] defaultNamespace() {
    return new String[] {"default"};
  }

  Folders folders() {
    return folders;
  }

  Records records() {
    return records;
  }

  /** Return what is kept of a view, a function or an external table, none when nothing can have that name. */
  Optional<Map<String, Object>> record(String kind, Identifier name) {
    return isName(name) ? records.find(kind, name) : Optional.empty();
  }

  @Override
  public String[][] listNamespaces() {
    return Arrays.stream(folders.schemas())
        .map(schema -> new String[] {schema})
        .toArray(String[][]::new);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) throws NoSuchNamespaceException {
    requireNamespace(namespace);
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
    Map<String, Object> about = records.ofSchema(namespace);
    Map<String, String> told = properties(about);
    for (String key : List.of(PROP_COMMENT, PROP_OWNER)) {
      if (about.get(key) instanceof String said && !said.isEmpty()) {
        told.put(key, said);
      }
    }
    told.put(PROP_LOCATION, folders.location(folders.of(namespace)));
    return told;
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata)
      throws NamespaceAlreadyExistsException {
    if (!isOneSchema(namespace)) {
      throw new IllegalArgumentException(
          "schema " + String.join(".", full(namespace)) + ": expected catalog.schema");
    }
    if (namespaceExists(namespace)) {
      throw new NamespaceAlreadyExistsException(full(namespace));
    }
    if (metadata.containsKey(PROP_LOCATION)) {
      throw new UnsupportedOperationException(
          "schema " + String.join(".", full(namespace)) + ": a location of its own is not emulated; leave it out");
    }
    folders.make(folders.of(namespace), made -> Records.putSchema(made, about(Map.of(), metadata)));
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes)
      throws NoSuchNamespaceException {
    requireNamespace(namespace);
    Map<String, String> told = loadNamespaceMetadata(namespace);
    for (NamespaceChange change : changes) {
      if (change instanceof NamespaceChange.SetProperty set) {
        told.put(set.property(), set.value());
      } else if (change instanceof NamespaceChange.RemoveProperty removed) {
        told.remove(removed.property());
      }
    }
    Records.putSchema(folders.of(namespace), about(records.ofSchema(namespace), told));
  }

  /** Return what a schema's folder says of it, with what Spark says. */
  private static Map<String, Object> about(Map<String, Object> before, Map<String, String> told) {
    long now = System.currentTimeMillis();
    Map<String, Object> about = new HashMap<>(Map.of("id", UUID.randomUUID().toString(), "created_at", now));
    about.putAll(before);
    about.put("updated_at", now);
    Map<String, String> properties = new HashMap<>(told);
    about.put(PROP_COMMENT, properties.getOrDefault(PROP_COMMENT, ""));
    properties.keySet().removeAll(List.of(PROP_COMMENT, PROP_OWNER, PROP_LOCATION)); // Spark's owner is the process's, not the schema's
    about.put(PROPERTIES, properties);
    return about;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, String> properties(Map<String, Object> about) {
    return new HashMap<>((Map<String, String>) about.getOrDefault(PROPERTIES, Map.of()));
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade)
      throws NoSuchNamespaceException, NonEmptyNamespaceException {
    requireNamespace(namespace);
    if (!cascade && !isEmpty(namespace)) {
      throw new NonEmptyNamespaceException(full(namespace));
    }
    for (String table : folders.tables(namespace)) {
      Logs.forget(folders, Identifier.of(namespace, table));
    }
    folders.remove(folders.of(namespace));
    return true;
  }

  private boolean isEmpty(String[] namespace) {
    return folders.tables(namespace).length == 0
        && records.list(Records.EXTERNAL, namespace).length == 0
        && records.list(Records.VIEWS, namespace).length == 0
        && records.list(Records.FUNCTIONS, namespace).length == 0;
  }

  void requireNamespace(String[] namespace) throws NoSuchNamespaceException {
    if (!namespaceExists(namespace)) {
      throw new NoSuchNamespaceException(full(namespace));
    }
  }

  static boolean isOneSchema(String[] namespace) {
    return namespace.length == 1;
  }

  /** Whether this can be the name of something in a schema: {@code delta.`/a/path`} cannot. */
  static boolean isName(Identifier name) {
    return isOneSchema(name.namespace())
        && Folders.isName(name.namespace()[0])
        && Folders.isName(name.name());
  }

  String[] full(String[] namespace) {
    String[] parts = new String[namespace.length + 1];
    parts[0] = name;
    System.arraycopy(namespace, 0, parts, 1, namespace.length);
    return parts;
  }

  /** Return the name with its catalog, as the user would write it. */
  Identifier full(Identifier named) {
    return Identifier.of(full(named.namespace()), named.name());
  }

  /** Return how messages name something of this catalog. */
  String told(Identifier named) {
    return String.join(".", full(named.namespace())) + "." + named.name();
  }

  /** Return a name that may be given with this catalog's name before it as one of this catalog, or refuse it. */
  Identifier here(Identifier named) {
    String[] namespace = named.namespace();
    if (namespace.length == 2 && namespace[0].equalsIgnoreCase(name)) {
      return Identifier.of(new String[] {namespace[1]}, named.name());
    }
    if (namespace.length != 1) {
      throw new IllegalArgumentException(
          String.join(".", namespace) + "." + named.name() + ": expected a name in catalog " + name);
    }
    return named;
  }
}
