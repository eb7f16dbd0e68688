package harness;

import io.delta.sql.parser.DeltaSqlParser;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.catalog.CatalogTable;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.V1Table;
import org.apache.spark.sql.delta.commands.ConvertToDeltaCommand;
import org.apache.spark.sql.execution.SparkSqlParser;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** {@code CONVERT TO DELTA}: Delta converts folders, and with this the external tables of our catalogs, which Delta would not find. */
final class ConvertToDelta {
  private ConvertToDelta() {}

  /** Convert, and return the name by which SQL knows the Delta table that this makes. */
  static String run(SparkSession session, String sql) {
    Tokens tokens = new Tokens(sql);
    int end = 4; // after CONVERT TO DELTA and the first part of the name
    while (tokens.is(end, ".") && tokens.isName(end + 1)) {
      end += 2;
    }
    String name = tokens.text(3, end);
    String clauses = tokens.source(end, tokens.next(end));
    Seq<String> parts = parts(session, name);
    List<String> named = CollectionConverters.asJava(parts);
    Optional<Named> ours = Named.find(session, parts);
    if (ours.isEmpty() || named.get(named.size() - 1).contains("/")) {
      convert(session, name, clauses);
      return "delta." + quoted(named.get(named.size() - 1));
    }
    try {
      Table table = ours.get().catalog().loadTable(ours.get().name());
      if (table instanceof V1Table other) {
        convert(session, ours.get(), other.catalogTable(), clauses);
      }
    } catch (NoSuchTableException error) {
      throw Errors.unchecked(error);
    }
    return ours.get().catalog().told(ours.get().name());
  }

  private static Seq<String> parts(SparkSession session, String name) {
    try {
      return session.sessionState().sqlParser().parseMultipartIdentifier(name);
    } catch (ParseException error) {
      throw Errors.unchecked(error);
    }
  }

  private static void convert(SparkSession session, Named named, CatalogTable table, String clauses) {
    boolean isSaid = clauses.toUpperCase().contains("PARTITIONED") || table.partitionSchema().isEmpty();
    String partitions = isSaid ? "" : " PARTITIONED BY (" + table.partitionSchema().toDDL() + ")";
    String location = table.location().toString();
    convert(session, table.provider().get() + "." + quoted(location), clauses + partitions);
    named.catalog().becameDelta(named.name(), location);
  }

  private static void convert(SparkSession session, String source, String clauses) {
    String statement = "CONVERT TO DELTA " + source + " " + clauses;
    ((ConvertToDeltaCommand) new DeltaSqlParser(new SparkSqlParser()).parsePlan(statement)).run(session);
  }

  private static String quoted(String name) {
    return "`" + name.replace("`", "``") + "`";
  }
}
