package harness;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.catalog.CatalogV2Util;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.read.LocalScan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.apache.spark.unsafe.types.UTF8String;

/** The relations of catalogs' information schemas: to be read only, and asked of the harness whenever a query is planned. */
public final class InformationSchema {
  static final String NAME = "information_schema";

  private static final ObjectMapper JSON = new ObjectMapper();
  private static volatile Map<String, String> relations = Map.of();
  private static volatile Source source;

  /** Whoever knows the rows. */
  public interface Source {
    /** A JSON list of lists, or an object that says why there is none. */
    String rows(String catalog, String relation);
  }

  private InformationSchema() {}

  /** Let there be these relations, by name and with their columns as DDL. */
  public static void register(Map<String, String> given, Source asked) {
    relations = new TreeMap<>(given);
    source = asked;
  }

  static boolean is(String[] namespace) {
    return namespace.length == 1 && namespace[0].equalsIgnoreCase(NAME);
  }

  static Set<String> names() {
    return relations.keySet();
  }

  static boolean exists(String name) {
    return relations.containsKey(name.toLowerCase(Locale.ROOT));
  }

  static Table table(String catalog, String name) {
    String relation = name.toLowerCase(Locale.ROOT);
    return new Relation(catalog, relation, StructType.fromDDL(relations.get(relation)));
  }

  private record Relation(String catalog, String relation, StructType schema) implements Table, SupportsRead {
    @Override
    public String name() {
      return catalog + "." + NAME + "." + relation;
    }

    @Override
    public Column[] columns() {
      return CatalogV2Util.structTypeToV2Columns(schema, false);
    }

    @Override
    public Set<TableCapability> capabilities() {
      return Set.of(TableCapability.BATCH_READ);
    }

    @Override
    public ScanBuilder newScanBuilder(CaseInsensitiveStringMap options) {
      LocalScan scan =
          new LocalScan() {
            @Override
            public InternalRow[] rows() {
              return read(catalog, relation, schema);
            }

            @Override
            public StructType readSchema() {
              return schema;
            }
          };
      return () -> scan;
    }
  }

  private static InternalRow[] read(String catalog, String relation, StructType schema) {
    JsonNode answer;
    try {
      answer = JSON.readTree(source.rows(catalog, relation));
    } catch (JsonProcessingException error) {
      throw new IllegalStateException("the harness did not say what is in " + catalog + "." + NAME + "." + relation, error);
    }
    if (!answer.isArray()) {
      throw Errors.unchecked(
          Errors.of(answer.path("error_code").asText("INTERNAL_ERROR"), "58030", answer.path("message").asText("the harness failed")));
    }
    InternalRow[] rows = new InternalRow[answer.size()];
    for (int row = 0; row < rows.length; row++) {
      Object[] values = new Object[schema.length()];
      for (int column = 0; column < values.length; column++) {
        values[column] = value(answer.get(row).get(column), schema.apply(column).dataType());
      }
      rows[row] = new GenericInternalRow(values);
    }
    return rows;
  }

  private static Object value(JsonNode told, DataType type) {
    if (told.isNull()) {
      return null;
    }
    if (type.equals(DataTypes.IntegerType)) {
      return told.intValue();
    }
    return type.equals(DataTypes.TimestampType) ? (Object) told.longValue() : UTF8String.fromString(told.textValue());
  }
}
