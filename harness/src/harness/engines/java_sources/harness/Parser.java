package harness;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.TableIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.NamedParameterContext;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.parser.ParserInterface;
import org.apache.spark.sql.catalyst.parser.PositionalParameterContext;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Seq;

/** Delta's parser, with parameters repaired, the platform's own statements understood, and every catalog of the warehouse known. */
final class Parser implements ParserInterface {
  private static final Pattern USE_CATALOG =
      Pattern.compile("\\s*USE\\s+CATALOG\\s+(.+?)\\s*;?\\s*", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

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
    Optional<String> ours = PlatformStatements.rewritten(sql); // first: Spark takes DESCRIBE CATALOG c for a table's column
    if (ours.isPresent()) {
      return spark.parsePlan(ours.get());
    }
    try {
      return delta.parsePlan(sql);
    } catch (ParseException error) {
      return delta.parsePlan(rewritten(sql).orElseThrow(() -> error));
    }
  }

  /**
   * Delta 4.4's parser drops the parameters on Spark 4.2 (UNBOUND_SQL_PARAMETER), so Spark's own goes first when there are any; when
   * there are none Delta's goes first, since Spark's would read DESCRIBE HISTORY t as a table called HISTORY.
   */
  @Override
  public LogicalPlan parsePlanWithParameters(String sql, ParameterContext parameters)
      throws ParseException {
    if (isEmpty(parameters)) {
      return parsePlan(sql);
    }
    Catalogs.meet(session);
    try {
      return spark.parsePlanWithParameters(sql, parameters);
    } catch (ParseException error) {
      return parseAsDelta(sql, parameters);
    }
  }

  private static boolean isEmpty(ParameterContext parameters) {
    return (parameters instanceof NamedParameterContext named && !named.params().iterator().hasNext())
        || (parameters instanceof PositionalParameterContext positional
            && !positional.params().iterator().hasNext());
  }

  private LogicalPlan parseAsDelta(String sql, ParameterContext parameters) throws ParseException {
    try {
      return delta.parsePlanWithParameters(sql, parameters);
    } catch (ParseException error) {
      String text = rewritten(sql).orElseThrow(() -> error);
      return spark.parsePlanWithParameters(text, parameters);
    }
  }

  private static Optional<String> rewritten(String sql) {
    Matcher match = USE_CATALOG.matcher(sql);
    return match.matches() ? Optional.of("SET CATALOG " + match.group(1)) : Optional.empty();
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
