package harness;

import java.util.Optional;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.parser.ParserInterface;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Seq;

/** Delta's parser, with parameters repaired, the platform's own statements understood, and every catalog of the warehouse known. */
final class Parser implements ParserInterface {
  private final SparkSession session;
  private final ParserInterface delta;
  private final ParserInterface spark = new SparkSqlParser();

  Parser(SparkSession session, ParserInterface delta) {
    this.session = session;
    this.delta = delta;
  }

  @Override
  public LogicalPlan parsePlan(String sql) throws ParseException {
    Catalogs.meet(session);
    Refusals.beforeSpark(sql);
    String given = Timeseries.marked(sql);
    String text = Rewriting.of(given).or(() -> EngineStatements.rewritten(given)).orElse(given); // Spark takes DESCRIBE CATALOG c for a column
    LogicalPlan plan;
    try {
      plan = delta.parsePlan(text);
    } catch (ParseException error) {
      Refusals.afterSpark(sql);
      throw error;
    }
    LogicalPlan parsed = plan;
    org.apache.spark.sql.classic.SparkSession classic = (org.apache.spark.sql.classic.SparkSession) session;
    Optional<String> call = Keys.dropped(classic, text, plan).or(() -> EngineStatements.rewritten(classic, text, parsed));
    return call.isPresent() ? spark.parsePlan(call.get()) : plan;
  }

  /**
   * Delta 4.4's parser drops the parameters on Spark 4.2 (UNBOUND_SQL_PARAMETER), so Spark's own goes first when there are any; when
   * there are none Delta's goes first, since Spark's would read DESCRIBE HISTORY t as a table called HISTORY.
   */
  @Override
  public LogicalPlan parsePlanWithParameters(String sql, ParameterContext parameters)
      throws ParseException {
    if (Parameters.isEmpty(parameters)) {
      return parsePlan(sql);
    }
    if (EngineStatements.rewritten(sql).isPresent()) {
      return parsePlan(EngineStatements.bound(sql, parameters));
    }
    Catalogs.meet(session);
    String given = Timeseries.marked(sql);
    String text = Rewriting.of(given).orElse(given);
    try {
      return spark.parsePlanWithParameters(text, parameters);
    } catch (ParseException error) {
      return delta.parsePlanWithParameters(text, parameters);
    }
  }

  @Override
  public Seq<String> parseMultipartIdentifier(String text) throws ParseException {
    Catalogs.meet(session);
    return delta.parseMultipartIdentifier(text);
  }

  @Override
  public LogicalPlan parseQuery(String text) throws ParseException {
    Catalogs.meet(session);
    return delta.parseQuery(text);
  }

  @Override
  public Expression parseExpression(String text) throws ParseException {
    return delta.parseExpression(text);
  }

  @Override
  public TableIdentifier parseTableIdentifier(String text) throws ParseException {
    return delta.parseTableIdentifier(text);
  }

  @Override
  public FunctionIdentifier parseFunctionIdentifier(String text) throws ParseException {
    return delta.parseFunctionIdentifier(text);
  }

  @Override
  public StructType parseRoutineParam(String text) throws ParseException {
    return delta.parseRoutineParam(text);
  }

  @Override
  public StructType parseTableSchema(String text) throws ParseException {
    return delta.parseTableSchema(text);
  }

  @Override
  public DataType parseDataType(String text) throws ParseException {
    return delta.parseDataType(text);
  }
}
