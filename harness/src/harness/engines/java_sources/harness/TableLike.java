package harness;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.delta.DeltaLog;
import org.apache.spark.sql.delta.DeltaOperations;
import org.apache.spark.sql.delta.DomainMetadataUtils;
import org.apache.spark.sql.delta.OptimisticTransaction;
import org.apache.spark.sql.delta.Snapshot;
import org.apache.spark.sql.delta.actions.Action;
import org.apache.spark.sql.delta.actions.Metadata;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * {@code CREATE TABLE … LIKE} a Delta table: the same columns, places, comment, properties, checks and features, and no rows.
 *
 * <p>Assumptions: identity columns begin anew, and primary and foreign keys are not copied, as their names are a schema's.
 */
final class TableLike {
  private static final String LAST_IDENTITY = "delta.identity.highWaterMark";

  private TableLike() {}

  static void make(SparkSession session, Snapshot source, Path place, Map<String, String> given, boolean isManaged) {
    DeltaLog log = DeltaLog.forTable(session, place);
    OptimisticTransaction transaction = log.startTransaction();
    log.createLogDirectoriesIfNotExists();
    transaction.updateMetadataForNewTable(metadata(source, given));
    List<Action> actions =
        new ArrayList<>(CollectionConverters.asJava(DomainMetadataUtils.handleDomainMetadataForCloneTable(source, transaction.snapshot())));
    transaction.commit(
        Seq.from(CollectionConverters.asScala(actions)),
        new DeltaOperations.CreateTable(transaction.metadata(), isManaged, false, Option.empty()));
  }

  private static Metadata metadata(Snapshot source, Map<String, String> given) {
    Metadata like = source.metadata();
    Map<String, String> properties = new HashMap<>(CollectionConverters.asJava(like.configuration()));
    properties.keySet().removeIf(key -> key.startsWith(Keys.PREFIX));
    properties.put("delta.minReaderVersion", Integer.toString(source.protocol().minReaderVersion()));
    properties.put("delta.minWriterVersion", Integer.toString(source.protocol().minWriterVersion()));
    for (String feature : CollectionConverters.asJava(source.protocol().readerAndWriterFeatureNames())) {
      properties.put("delta.feature." + feature, "supported");
    }
    properties.putAll(given);
    StructField[] fields = ((StructType) DataType.fromJson(like.schemaString())).fields();
    String schema = new StructType(Arrays.stream(fields).map(TableLike::fresh).toArray(StructField[]::new)).json();
    return new Metadata(
        UUID.randomUUID().toString(), like.name(), like.description(), like.format(), schema, like.partitionColumns(),
        scala.collection.immutable.Map.from(CollectionConverters.asScala(properties)), Option.apply(System.currentTimeMillis()));
  }

  private static StructField fresh(StructField field) {
    return new StructField(
        field.name(), field.dataType(), field.nullable(), new MetadataBuilder().withMetadata(field.metadata()).remove(LAST_IDENTITY).build());
  }
}
