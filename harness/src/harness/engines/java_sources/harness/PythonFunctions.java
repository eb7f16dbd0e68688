package harness;

import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;

/**
 * What the functions of our catalogs call that have a body in Python (harness/python_functions). Such a function is one of SQL's, whose body
 * calls this with all that a worker must know and with its parameters: Spark checks, casts and defaults those as for every SQL function.
 */
public final class PythonFunctions {
  static final String NAME = "__harness_python_function";

  private PythonFunctions() {}

  /** Make it known to every session opened from now on. */
  public static void register(AiQuery.Binder binder) {
    FunctionRegistry.builtin().registerFunction(new FunctionIdentifier(NAME), new ExpressionInfo(NAME, NAME), new AiQuery(binder));
  }
}
