package harness;

import java.util.List;
import java.util.Map;
import org.apache.spark.connect.proto.DataType;
import org.apache.spark.connect.proto.ListCatalogs;
import org.apache.spark.connect.proto.Relation;
import org.apache.spark.connect.proto.SQL;
import org.sparkproject.connect.protobuf.Descriptors.FieldDescriptor;
import org.sparkproject.connect.protobuf.Message;

/** What Spark Connect's clients ask, as the engine is to hear it. */
public final class Requests {
  private Requests() {}

  /**
   * Return a message with strings of the default collation as strings that name none, as SQL has them: pyspark's client names it for every
   * string, Spark would keep it in the schemas of tables, and delta-rs reads no collations. And catalogs are listed as {@code SHOW CATALOGS}
   * does: Spark knows only those that a session has used.
   */
  @SuppressWarnings("unchecked")
  public static <M extends Message> M heard(M message) {
    if (message instanceof DataType.String string) {
      return string.getCollation().equals(DefaultStrings.COLLATION) ? (M) string.toBuilder().clearCollation().build() : message;
    }
    if (message instanceof Relation relation && relation.hasCatalog() && relation.getCatalog().hasListCatalogs()) {
      SQL query = SQL.newBuilder().setQuery(catalogs(relation.getCatalog().getListCatalogs())).build();
      return (M) relation.toBuilder().setSql(query).build();
    }
    Message.Builder changed = null;
    for (Map.Entry<FieldDescriptor, Object> each : message.getAllFields().entrySet()) {
      FieldDescriptor field = each.getKey();
      if (field.getJavaType() != FieldDescriptor.JavaType.MESSAGE) {
        continue;
      }
      Object heard = field.isRepeated() ? all((List<Message>) each.getValue()) : heard((Message) each.getValue());
      if (heard != each.getValue()) {
        changed = changed == null ? message.toBuilder() : changed;
        changed.setField(field, heard);
      }
    }
    return changed == null ? message : (M) changed.build();
  }

  private static List<Message> all(List<Message> messages) {
    List<Message> heard = messages.stream().map(Requests::heard).toList();
    for (int at = 0; at < heard.size(); at++) {
      if (heard.get(at) != messages.get(at)) {
        return heard;
      }
    }
    return messages;
  }

  /** Spark's patterns: `*` is any text, `|` is or, upper and lower case are one. */
  private static String catalogs(ListCatalogs asked) {
    String pattern = asked.hasPattern() ? asked.getPattern().replace("*", ".*") : ".*";
    String like = "(?i)^(" + pattern + ")$";
    return "SELECT catalog_name AS name, comment AS description FROM system.information_schema.catalogs WHERE catalog_name RLIKE '"
        + like.replace("\\", "\\\\").replace("'", "\\'") + "' ORDER BY name";
  }
}
