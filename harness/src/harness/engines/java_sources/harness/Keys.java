package harness;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.UnresolvedTable;
import org.apache.spark.sql.catalyst.plans.logical.AlterTableDropConstraint;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.catalog.constraints.Check;
import org.apache.spark.sql.connector.catalog.constraints.Constraint;
import org.apache.spark.sql.connector.catalog.constraints.ForeignKey;
import org.apache.spark.sql.connector.catalog.constraints.PrimaryKey;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.delta.constraints.DropConstraint;

/**
 * Primary and foreign keys, which nothing enforces, as on the platform: properties of the Delta table, {@code harness.constraint.NAME} with
 * a JSON object: {@code type} (PRIMARY_KEY or FOREIGN_KEY), {@code columns}, {@code rely}, and for a foreign key {@code parent} (full name)
 * and {@code parent_columns}; for a primary key {@code timeseries_columns}, if there are any. A check is what Delta calls {@code delta.constraints.NAME}.
 */
final class Keys {
  static final String PREFIX = "harness.constraint.";

  private static final String CHECK_PREFIX = "delta.constraints.";
  private static final ObjectMapper JSON = new ObjectMapper();

  private Keys() {}

  static String property(Constraint constraint) {
    String name = constraint.name().toLowerCase(Locale.ROOT);
    return (constraint instanceof Check ? CHECK_PREFIX : PREFIX) + name;
  }

  static String value(Constraint constraint, Schemas catalog) {
    if (constraint instanceof Check check) {
      return check.predicateSql();
    }
    Map<String, Object> told = new LinkedHashMap<>();
    if (constraint instanceof PrimaryKey key) {
      told.put("type", "PRIMARY_KEY");
      told.put("columns", names(key.columns()));
      told.put("rely", key.rely());
      List<String> timeseries = raw(key.columns()).stream().filter(Timeseries::isMarked).map(Timeseries::unmarked).toList();
      if (!timeseries.isEmpty()) {
        told.put("timeseries_columns", timeseries);
      }
    } else if (constraint instanceof ForeignKey key) {
      told.put("type", "FOREIGN_KEY");
      told.put("columns", names(key.columns()));
      told.put("rely", key.rely());
      told.put("parent", parent(key.referencedTable(), catalog));
      told.put("parent_columns", names(key.referencedColumns()));
    } else {
      throw new UnsupportedOperationException("constraint " + constraint.name() + ": expected PRIMARY KEY, FOREIGN KEY or CHECK");
    }
    try {
      return JSON.writeValueAsString(told);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> read(String value) {
    try {
      return JSON.readValue(value, Map.class);
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException("a property " + PREFIX + "… is no constraint: " + value, error);
    }
  }

  /** Return the columns with those of a primary key as NOT NULL: that is implied by it. */
  static Column[] required(Column[] columns, Constraint[] constraints) {
    Set<String> keys =
        Arrays.stream(constraints)
            .filter(PrimaryKey.class::isInstance)
            .flatMap(key -> names(((PrimaryKey) key).columns()).stream())
            .map(name -> name.toLowerCase(Locale.ROOT))
            .collect(Collectors.toSet());
    return Arrays.stream(columns)
        .map(column -> keys.contains(column.name().toLowerCase(Locale.ROOT)) ? required(column) : column)
        .toArray(Column[]::new);
  }

  private static Column required(Column column) {
    if (column.generationExpression() != null || column.identityColumnSpec() != null || column.defaultValue() != null) {
      return column;
    }
    return Column.create(column.name(), column.dataType(), false, column.comment(), column.metadataInJSON());
  }

  /** Return the changes as Delta knows them. */
  static TableChange[] translated(Table table, TableChange[] changes, Schemas catalog) {
    return Stream.of(changes).map(change -> translated(table, change, catalog)).toArray(TableChange[]::new);
  }

  private static TableChange translated(Table table, TableChange change, Schemas catalog) {
    if (change instanceof TableChange.AddConstraint add) {
      requireColumns(table, add.constraint());
      return TableChange.setProperty(property(add.constraint()), value(add.constraint(), catalog));
    }
    if (change instanceof TableChange.DropConstraint drop) { // as Spark reads it, which has a turn when there are parameters
      return translated(table, new DropConstraint(drop.name(), drop.ifExists()), catalog);
    }
    if (change instanceof DropConstraint drop && isKey(table, drop.constraintName())) {
      return TableChange.removeProperty(PREFIX + drop.constraintName().toLowerCase(Locale.ROOT));
    }
    return change;
  }

  /** Return the call that drops a key by its name: the harness knows the foreign keys that refer to it. */
  static Optional<String> dropped(SparkSession session, String sql, LogicalPlan plan) {
    if (plan instanceof AlterTableDropConstraint drop && drop.child() instanceof UnresolvedTable table) {
      return dropped(session, sql, table, drop.constraintName());
    }
    if (plan instanceof org.apache.spark.sql.catalyst.plans.logical.DropConstraint drop
        && drop.table() instanceof UnresolvedTable table) {
      return dropped(session, sql, table, drop.name());
    }
    return Optional.empty();
  }

  private static Optional<String> dropped(SparkSession session, String sql, UnresolvedTable table, String key) {
    return Named.find(session, table.multipartIdentifier())
        .filter(named -> named.catalog().tableExists(named.name()) && isKey(loaded(named), key))
        .map(named -> Rewriting.called(sql));
  }

  private static Table loaded(Named named) {
    try {
      return named.catalog().loadTable(named.name());
    } catch (NoSuchTableException gone) {
      throw Errors.unchecked(gone);
    }
  }

  private static boolean isKey(Table table, String name) {
    return table.properties().containsKey(PREFIX + name.toLowerCase(Locale.ROOT));
  }

  private static void requireColumns(Table table, Constraint constraint) {
    if (isKey(table, constraint.name())) {
      throw Errors.unchecked(
          Errors.of("CONSTRAINT_ALREADY_EXISTS", "42710", "Constraint `" + constraint.name() + "` already exists. Please delete the old constraint first."));
    }
    if (!(constraint instanceof PrimaryKey key)) {
      return;
    }
    for (String name : names(key.columns())) {
      for (Column column : table.columns()) {
        if (column.name().equalsIgnoreCase(name) && column.nullable()) {
          throw Errors.unchecked(
              Errors.of( // Assumption: condition and wording
                  "PRIMARY_KEY_COLUMN_NULLABLE", "42000",
                  "Cannot create the primary key `" + constraint.name() + "` because its child column(s) `" + name
                      + "` is nullable. Please change the column nullability and retry."));
        }
      }
    }
    requireNoOther(table, key);
  }

  /** As Spark says it of two in one CREATE TABLE. */
  private static void requireNoOther(Table table, PrimaryKey key) {
    for (Map.Entry<String, String> property : table.properties().entrySet()) {
      if (property.getKey().startsWith(PREFIX) && !read(property.getValue()).containsKey("parent")) {
        String columns = "`" + String.join("`, `", names(key.columns())) + "`";
        throw Errors.unchecked(
            Errors.of(
                "MULTIPLE_PRIMARY_KEYS", "42P16",
                "Multiple primary keys are defined: " + property.getKey().substring(PREFIX.length()) + ", and (" + columns
                    + "). Please ensure that only one primary key is defined for the table."));
      }
    }
  }

  private static String parent(Identifier table, Schemas catalog) {
    String[] namespace = table.namespace();
    String[] place = namespace.length >= 2 ? namespace : catalog.full(namespace);
    return String.join(".", place) + "." + table.name();
  }

  private static List<String> names(NamedReference[] columns) {
    return raw(columns).stream().map(Timeseries::unmarked).toList();
  }

  private static List<String> raw(NamedReference[] columns) {
    return Arrays.stream(columns).map(column -> String.join(".", column.fieldNames())).toList();
  }
}
