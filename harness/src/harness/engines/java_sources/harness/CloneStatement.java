package harness;

import io.delta.sql.parser.DeltaSqlParser;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.TimeTravel;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.UnresolvedRelation;
import org.apache.spark.sql.catalyst.plans.logical.CloneTableStatement;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.delta.DeltaTimeTravelSpec;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.execution.SparkSqlParser;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** {@code CREATE TABLE … [SHALLOW | DEEP] CLONE …}: Delta's grammar has the shallow one, so a deep one is read as if it were that. */
final class CloneStatement {
  static final String START = "(?:CREATE(?:\\s+OR\\s+REPLACE)?|REPLACE)\\s+TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?(?:`(?:[^`]|``)*`|[\\w.])+\\s+";

  private static final Pattern KIND = Pattern.compile(START + "(?<kind>(?:(?:SHALLOW|DEEP)\\s+)?CLONE)\\s", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

  private CloneStatement() {}

  static PlatformStatements.Answer run(SparkSession session, String sql) {
    Matcher kind = KIND.matcher(sql);
    kind.find();
    boolean isDeep = !kind.group("kind").toUpperCase().startsWith("SHALLOW");
    String shallow = sql.substring(0, kind.start("kind")) + "SHALLOW CLONE" + sql.substring(kind.end("kind"));
    CloneTableStatement statement = (CloneTableStatement) new DeltaSqlParser(new SparkSqlParser()).parsePlan(shallow);
    Seq<String> targetName = ((UnresolvedRelation) statement.target()).multipartIdentifier();
    DeltaTableV2 source = source(session, statement.source());
    Map<String, String> properties = CollectionConverters.asJava(statement.tablePropertyOverrides());
    Named target =
        Named.find(session, targetName)
            .orElseThrow(() -> new UnsupportedOperationException("CLONE: expected a table or delta.`/a/path` as target, not " + String.join(".", CollectionConverters.asJava(targetName))));
    try {
      boolean exists = target.catalog().tableExists(target.name());
      if (exists && !statement.isReplaceCommand()) {
        if (statement.ifNotExists()) {
          return PlatformStatements.rows("", List.of());
        }
        throw new TableAlreadyExistsException(target.catalog().full(target.name()));
      }
      if (!exists && !statement.isCreateCommand()) {
        throw new NoSuchTableException(target.catalog().full(target.name()));
      }
      Path place = target.catalog().place(target.name(), statement.targetLocation());
      PlatformStatements.Answer answer = new CloneTable(session, source, place, isDeep, properties).run();
      target.catalog().placed(target.name(), statement.targetLocation());
      return answer;
    } catch (TableAlreadyExistsException | NoSuchTableException | NoSuchNamespaceException error) {
      throw Errors.unchecked(error);
    }
  }

  private static DeltaTableV2 source(SparkSession session, LogicalPlan plan) {
    if (plan instanceof TimeTravel then) {
      DeltaTimeTravelSpec when = new DeltaTimeTravelSpec(then.timestamp(), then.version(), then.creationSource(), true);
      DeltaTableV2 now = source(session, then.relation());
      return now.copy(now.spark(), now.path(), now.catalogTable(), now.tableIdentifier(), Option.apply(when), now.options());
    }
    Seq<String> parts = ((UnresolvedRelation) plan).multipartIdentifier();
    Named named = Named.find(session, parts).orElseThrow(() -> missing(parts));
    try {
      if (named.catalog().loadTable(named.name()) instanceof DeltaTableV2 table && table.tableExists()) {
        return table;
      }
    } catch (NoSuchTableException error) {
      throw Errors.unchecked(error);
    }
    throw missing(parts);
  }

  private static RuntimeException missing(Seq<String> parts) {
    List<String> names = CollectionConverters.asJava(parts);
    String[] namespace = names.subList(0, names.size() - 1).toArray(String[]::new);
    return Errors.unchecked(new NoSuchTableException(Identifier.of(namespace, names.get(names.size() - 1))));
  }
}
