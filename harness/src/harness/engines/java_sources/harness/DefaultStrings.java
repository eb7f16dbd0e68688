package harness;

import java.util.Arrays;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StringType$;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Types whose strings have the default collation, as types that name none: Spark would keep the name, and delta-rs reads no collations. */
final class DefaultStrings {
  static final String COLLATION = "UTF8_BINARY";

  private DefaultStrings() {}

  static Column[] of(Column[] columns) {
    return Arrays.stream(columns).map(DefaultStrings::of).toArray(Column[]::new);
  }

  private static Column of(Column column) {
    return Column.builderFor(column.name(), of(column.dataType()))
        .nullable(column.nullable())
        .comment(column.comment())
        .defaultValue(column.defaultValue())
        .generationExpression(column.generationExpression())
        .identityColumnSpec(column.identityColumnSpec())
        .metadata(column.metadataInJSON())
        .id(column.id())
        .build();
  }

  static TableChange of(TableChange change) {
    return change instanceof TableChange.AddColumn add
        ? TableChange.addColumn(
            add.fieldNames(), of(add.dataType()), add.isNullable(), add.comment(), add.position(), add.defaultValue())
        : change;
  }

  static DataType of(DataType type) {
    if (type instanceof StringType string && type.json().contains(COLLATION)) {
      return StringType$.MODULE$;
    }
    if (type instanceof ArrayType array) {
      return array.copy(of(array.elementType()), array.containsNull());
    }
    if (type instanceof MapType map) {
      return map.copy(of(map.keyType()), of(map.valueType()), map.valueContainsNull());
    }
    if (type instanceof StructType struct) {
      StructField[] fields = struct.fields();
      return new StructType(
          Arrays.stream(fields)
              .map(field -> new StructField(field.name(), of(field.dataType()), field.nullable(), field.metadata()))
              .toArray(StructField[]::new));
    }
    return type;
  }
}
