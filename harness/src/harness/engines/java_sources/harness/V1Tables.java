package harness;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.catalog.CatalogStorageFormat;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.catalog.CatalogTableType;
import org.apache.spark.sql.catalyst.catalog.CatalogUtils;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.V1Table;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** Tables as Spark's own session catalog would describe them, with all three parts of their names. */
final class V1Tables {
  private V1Tables() {}

  static V1Table managed(String catalog, Identifier table, String location) {
    return table(catalog, table, CatalogTableType.MANAGED(), "delta", location, new StructType(), List.of(), Map.of());
  }

  static V1Table external(
      String catalog, Identifier table, String provider, String location, StructType schema, List<String> partitions,
      Map<String, String> properties) {
    return table(catalog, table, CatalogTableType.EXTERNAL(), provider, location, schema, partitions, properties);
  }

  /** The options among a table's properties: what is after {@code OPTIONS}. */
  static Map<String, String> options(Map<String, String> properties) {
    Map<String, String> options = new HashMap<>();
    properties.forEach(
        (key, value) -> {
          if (key.startsWith(TableCatalog.OPTION_PREFIX)) {
            options.put(key.substring(TableCatalog.OPTION_PREFIX.length()), value);
          }
        });
    return options;
  }

  private static V1Table table(
      String catalog, Identifier table, CatalogTableType type, String provider, String location, StructType schema,
      List<String> partitions, Map<String, String> properties) {
    Map<String, String> options = options(properties);
    Map<String, String> others = new HashMap<>(properties);
    others.keySet().removeIf(key -> key.startsWith(TableCatalog.OPTION_PREFIX) || options.containsKey(key));
    String comment = others.remove(TableCatalog.PROP_COMMENT);
    String owner = others.remove(TableCatalog.PROP_OWNER);
    CatalogStorageFormat storage =
        new CatalogStorageFormat(
            Option.apply(CatalogUtils.stringToURI(location)), Option.empty(), Option.empty(), Option.empty(), false, scala(options),
            Option.empty());
    Seq<String> none = Seq.from(CollectionConverters.asScala(List.<String>of()));
    return new V1Table(
        new CatalogTable(
            new TableIdentifier(table.name(), Option.apply(table.namespace()[0]), Option.apply(catalog)),
            type,
            storage,
            schema,
            Option.apply(provider),
            Seq.from(CollectionConverters.asScala(partitions)),
            Option.empty(),
            owner == null ? "" : owner,
            0L,
            -1L,
            "",
            scala(others),
            Option.empty(),
            Option.empty(),
            Option.apply(comment),
            Option.empty(),
            none,
            false, // partitions are what the folders say
            true,
            scala(Map.of()),
            Option.empty(),
            Option.empty()));
  }

  private static scala.collection.immutable.Map<String, String> scala(Map<String, String> map) {
    return scala.collection.immutable.Map.from(CollectionConverters.asScala(map));
  }
}
