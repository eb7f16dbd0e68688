package harness;

import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.catalog.SQLFunction;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.FunctionCatalog;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.functions.UnboundFunction;
import org.apache.spark.sql.internal.SessionState;
import org.apache.spark.sql.internal.connector.V1Function;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractFunction0;
import scala.runtime.AbstractFunction1;

/** The functions of a catalog: a record each, that holds what Spark keeps of a SQL function. */
abstract class Functions extends Schemas implements FunctionCatalog {
  private static final String CLASS = "class";
  private static final String USAGE = "usage";
  private static final String PYTHON = "python";

  @Override
  public Identifier[] listFunctions(String[] namespace) throws NoSuchNamespaceException {
    requireNamespace(namespace);
    return records().list(Records.FUNCTIONS, namespace);
  }

  @Override
  public boolean functionExists(Identifier name) {
    return isName(name) && records().exists(Records.FUNCTIONS, name);
  }

  @Override
  public UnboundFunction loadFunction(Identifier name) throws NoSuchFunctionException {
    ExpressionInfo info = info(name).orElseThrow(() -> new NoSuchFunctionException(full(name)));
    return new V1Function(
        info,
        new AbstractFunction0<>() {
          @Override
          public scala.Function1<Seq<Expression>, Expression> apply() {
            return new AbstractFunction1<>() {
              @Override
              public Expression apply(Seq<Expression> arguments) {
                return call(function(name, info), arguments);
              }
            };
          }
        });
  }

  /** Return the plan of a table function's call, none when there is no such function. */
  Optional<LogicalPlan> table(Identifier name, Seq<Expression> arguments) {
    return info(name).map(info -> function(name, info)).filter(SQLFunction::isTableFunc).map(function -> from(function, arguments));
  }

  /** Keep a function; `python` is its body when that is not SQL. */
  void putFunction(Identifier name, ExpressionInfo info, String python) {
    Map<String, Object> record = new HashMap<>();
    if (python != null) {
      record.put(PYTHON, python);
    }
    record.put(CLASS, info.getClassName());
    record.put(USAGE, info.getUsage());
    records().put(Records.FUNCTIONS, name, record);
  }

  boolean dropFunction(Identifier name) {
    return functionExists(name) && records().remove(Records.FUNCTIONS, name);
  }

  Optional<ExpressionInfo> info(Identifier name) {
    return record(Records.FUNCTIONS, name).map(record -> info(name, record));
  }

  /** The body of a function whose language is Python. */
  Optional<String> python(Identifier name) {
    return record(Records.FUNCTIONS, name).map(record -> (String) record.get(PYTHON));
  }

  private ExpressionInfo info(Identifier name, Map<String, Object> record) {
    String schema = name() + "." + name.namespace()[0];
    return new ExpressionInfo(
        (String) record.get(CLASS), schema, name.name(), (String) record.get(USAGE), "", "", "", "", "", "", "sql_udf");
  }

  private SQLFunction function(Identifier name, ExpressionInfo info) {
    SQLFunction kept = SQLFunction.fromExpressionInfo(info, state().sqlParser());
    return new SQLFunction(
        new FunctionIdentifier(name.name(), Option.apply(name.namespace()[0]), Option.apply(name())),
        kept.inputParam(), kept.returnType(), kept.exprText(), kept.queryText(), kept.comment(), kept.collation(), kept.deterministic(),
        kept.containsSQL(), kept.isTableFunc(), kept.properties(), kept.owner(), kept.createTimeMs());
  }

  /** Spark makes calls of the functions that it has registered: so it has this one for as long as that takes. */
  private static Expression call(SQLFunction function, Seq<Expression> arguments) {
    SessionState state = state();
    state.catalog().registerSQLScalarFunction(function, true);
    try {
      return state.functionRegistry().lookupFunction(function.name(), arguments);
    } catch (AnalysisException error) {
      throw Errors.unchecked(error);
    } finally {
      state.functionRegistry().dropFunction(function.name());
    }
  }

  private static LogicalPlan from(SQLFunction function, Seq<Expression> arguments) {
    SessionState state = state();
    state.catalog().registerSQLTableFunction(function, true);
    try {
      return state.tableFunctionRegistry().lookupFunction(function.name(), arguments);
    } catch (AnalysisException error) {
      throw Errors.unchecked(error);
    } finally {
      state.tableFunctionRegistry().dropFunction(function.name());
    }
  }

  private static SessionState state() {
    return SparkSession.active().sessionState();
  }
}
