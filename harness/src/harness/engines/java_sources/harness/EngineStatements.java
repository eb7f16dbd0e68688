package harness;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.UnresolvedFunctionName;
import org.apache.spark.sql.catalyst.analysis.UnresolvedIdentifier;
import org.apache.spark.sql.catalyst.analysis.UnresolvedTableOrView;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.plans.logical.CreateUserDefinedFunction;
import org.apache.spark.sql.catalyst.plans.logical.DescribeFunction;
import org.apache.spark.sql.catalyst.plans.logical.DropFunction;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.ShowCreateTable;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.procedures.BoundProcedure;
import org.apache.spark.sql.connector.catalog.procedures.ProcedureParameter;
import org.apache.spark.sql.connector.catalog.procedures.UnboundProcedure;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.apache.spark.sql.execution.command.ExplainCommand;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Statements that Spark parses and carries out for its own session catalog only: in ours they are called as a procedure, at once and once.
 */
public final class EngineStatements implements UnboundProcedure, BoundProcedure {
  static final String NAME = "engine_statement";

  /** The same, telling the table that a statement makes: {@code DeltaTable.convertToDelta} asks for it. */
  static final String TELLING = "telling_statement";

  /** What may stand before a statement. */
  private static final String SPACE = "(?:\\s|--[^\\n]*(?:\\n|$)|/\\*.*?\\*/)*+";

  private static final int FLAGS = Pattern.CASE_INSENSITIVE | Pattern.DOTALL;

  private static final Pattern PYTHON =
      Pattern.compile(
          SPACE + "CREATE\\s+(?:OR\\s+REPLACE\\s+)?(?:TEMPORARY\\s+)?FUNCTION\\s.*\\sLANGUAGE\\s+PYTHON\\b", FLAGS);
  private static final Pattern COPY = Pattern.compile(SPACE + "COPY\\s+INTO\\b", FLAGS);
  private static final Pattern CONVERT = Pattern.compile(SPACE + "CONVERT\\s+TO\\s+DELTA\\s", FLAGS);
  private static final Pattern CLONE =
      Pattern.compile(SPACE + CloneStatement.START + "(?:(?:SHALLOW|DEEP)\\s+)?CLONE\\s", FLAGS);

  private final boolean tells;

  EngineStatements(String name) {
    tells = name.equals(TELLING);
  }

  /** Return one of these statements with its parameters' values; the body of a function in another language has none. */
  static String bound(String sql, ParameterContext parameters) {
    return PYTHON.matcher(sql).lookingAt() ? sql : Parameters.bound(sql, parameters);
  }

  /** Return the call of a statement that tells the table that it makes. */
  public static String telling(String sql) {
    return call(TELLING, sql);
  }

  /** Return the call that a statement means which Spark cannot parse, or would not carry out as the platform does. */
  static Optional<String> rewritten(String sql) {
    boolean isOurs = Stream.of(COPY, CLONE, CONVERT, PYTHON).anyMatch(each -> each.matcher(sql).lookingAt());
    return isOurs ? Optional.of(call(NAME, sql)) : Optional.empty();
  }

  /** Return the call that a statement means, when it is about one of our catalogs. */
  static Optional<String> rewritten(SparkSession session, String sql, LogicalPlan plan) {
    if (plan instanceof ExplainCommand explain && isOurs(session, explain.logicalPlan())) {
      throw Refusals.refused("EXPLAIN of a statement about functions, or of SHOW CREATE TABLE,", Refusals.NO_PLAN);
    }
    return isOurs(session, plan) ? Optional.of(call(NAME, sql)) : Optional.empty();
  }

  private static boolean isOurs(SparkSession session, LogicalPlan plan) {
    if (plan instanceof CreateUserDefinedFunction create && create.child() instanceof UnresolvedIdentifier name) {
      return Named.find(session, name.nameParts()).isPresent();
    }
    if (plan instanceof DropFunction drop && drop.child() instanceof UnresolvedIdentifier name) {
      return Named.find(session, name.nameParts()).isPresent();
    }
    if (plan instanceof DescribeFunction describe && describe.child() instanceof UnresolvedFunctionName name) {
      return Named.find(session, name.multipartIdentifier()).filter(named -> named.catalog().functionExists(named.name())).isPresent();
    }
    return plan instanceof ShowCreateTable show
        && !show.asSerde()
        && show.child() instanceof UnresolvedTableOrView name
        && Named.find(session, name.multipartIdentifier()).filter(ShowCreate::isOurs).isPresent();
  }

  @Override
  public String name() {
    return tells ? TELLING : NAME;
  }

  @Override
  public String description() {
    return "a statement of the engine";
  }

  @Override
  public BoundProcedure bind(StructType arguments) {
    return this;
  }

  @Override
  public ProcedureParameter[] parameters() {
    return new ProcedureParameter[] {ProcedureParameter.in("statement", DataTypes.BinaryType).build()};
  }

  @Override
  public boolean isDeterministic() {
    return false;
  }

  @Override
  public Iterator<Scan> call(InternalRow arguments) {
    return PlatformStatements.scans(answer(new String(arguments.getBinary(0), StandardCharsets.UTF_8)));
  }

  private static String call(String name, String sql) {
    String text = HexFormat.of().formatHex(sql.getBytes(StandardCharsets.UTF_8)); // no setting of the session reads it otherwise
    return "CALL " + PlatformStatements.CATALOG + ".system." + name + "(X'" + text + "')";
  }

  private PlatformStatements.Answer answer(String statement) {
    SparkSession session = SparkSession.active();
    if (COPY.matcher(statement).lookingAt()) {
      return copy(session, CopyStatement.of(statement));
    }
    if (CLONE.matcher(statement).lookingAt()) {
      return CloneStatement.run(session, statement);
    }
    if (CONVERT.matcher(statement).lookingAt()) {
      String table = ConvertToDelta.run(session, statement);
      return tells ? PlatformStatements.rows("table STRING", List.of(List.of(table))) : PlatformStatements.rows("", List.of());
    }
    if (PYTHON.matcher(statement).lookingAt()) {
      PythonStatement said = PythonStatement.of(session, statement);
      FunctionStatements.create(session, made(session, said.create()), said.create(), said.body());
      return PlatformStatements.rows("", List.of());
    }
    LogicalPlan plan = new SparkSqlParser().parsePlan(statement);
    if (plan instanceof CreateUserDefinedFunction create) {
      FunctionStatements.create(session, made(session, create), create, null);
      return PlatformStatements.rows("", List.of());
    }
    if (plan instanceof DropFunction drop) {
      FunctionStatements.drop(Named.of(session, ((UnresolvedIdentifier) drop.child()).nameParts()), drop.ifExists());
      return PlatformStatements.rows("", List.of());
    }
    if (plan instanceof DescribeFunction describe) {
      Named function = Named.of(session, ((UnresolvedFunctionName) describe.child()).multipartIdentifier());
      return PlatformStatements.rows("function_desc STRING", FunctionStatements.described(session, function, describe.isExtended()));
    }
    Named table = Named.of(session, ((UnresolvedTableOrView) ((ShowCreateTable) plan).child()).multipartIdentifier());
    return PlatformStatements.rows("createtab_stmt STRING", List.of(List.of(ShowCreate.statement(table))));
  }

  /** Return what a function that is to be made is called, which must be in one of our catalogs. */
  static Named made(SparkSession session, CreateUserDefinedFunction create) {
    Seq<String> parts = ((UnresolvedIdentifier) create.child()).nameParts();
    return Named.find(session, parts)
        .orElseThrow(() -> new UnsupportedOperationException("CREATE FUNCTION: expected a name in a catalog, not " + String.join(".", CollectionConverters.asJava(parts))));
  }

  private static PlatformStatements.Answer copy(SparkSession session, CopyStatement statement) {
    Optional<Named> named = Named.find(session, Seq.from(CollectionConverters.asScala(statement.table())));
    try {
      if (named.isPresent() && named.get().catalog().loadTable(named.get().name()) instanceof DeltaTableV2 table) {
        return new CopyInto(session, statement, table).run();
      }
    } catch (NoSuchTableException error) {
      throw Errors.unchecked(error);
    }
    throw new UnsupportedOperationException("COPY INTO " + String.join(".", statement.table()) + ": expected the name of a Delta table");
  }
}
