package harness;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.constraints.Constraint;
import org.apache.spark.sql.connector.expressions.FieldReference;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import scala.jdk.javaapi.CollectionConverters;

/** A Delta table that tells of its keys: {@code DESCRIBE TABLE EXTENDED} shows them. */
final class KeyedTable extends DeltaTableV2 {
  private KeyedTable(DeltaTableV2 table) {
    super(table.spark(), table.path(), table.catalogTable(), table.tableIdentifier(), table.timeTravelOpt(), table.options());
  }

  static Table of(Table table) {
    return table instanceof DeltaTableV2 delta ? new KeyedTable(delta) : table;
  }

  @Override
  public Constraint[] constraints() {
    List<Constraint> keys = new ArrayList<>();
    CollectionConverters.asJava(initialSnapshot().metadata().configuration()).forEach((property, value) -> {
      if (property.startsWith(Keys.PREFIX)) {
        keys.add(key(property.substring(Keys.PREFIX.length()), Keys.read(value)));
      }
    });
    return keys.toArray(Constraint[]::new);
  }

  private static Constraint key(String name, Map<String, Object> key) {
    boolean rely = Boolean.TRUE.equals(key.get("rely"));
    if (!key.containsKey("parent")) {
      return Constraint.primaryKey(name, columns(key.get("columns"))).enforced(false).rely(rely).build();
    }
    String[] parent = key.get("parent").toString().split("\\.");
    Identifier table = Identifier.of(new String[] {parent[0], parent[1]}, parent[2]);
    return Constraint.foreignKey(name, columns(key.get("columns")), table, columns(key.get("parent_columns"))).enforced(false).rely(rely).build();
  }

  @SuppressWarnings("unchecked")
  private static NamedReference[] columns(Object names) {
    return ((List<String>) names).stream().map(FieldReference::column).toArray(NamedReference[]::new);
  }
}
