package harness;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionAlreadyExistsException;
import org.apache.spark.sql.catalyst.analysis.NoSuchFunctionException;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.catalog.SessionCatalog;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.plans.logical.CreateUserDefinedFunction;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.execution.command.CreateSQLFunctionCommand;
import org.apache.spark.sql.execution.command.DescribeFunctionCommand;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/** {@code CREATE FUNCTION} and {@code DROP FUNCTION} in our catalogs. */
final class FunctionStatements {
  private FunctionStatements() {}

  /** Make a function; `python` is its body when that is not SQL. */
  static void create(SparkSession session, Named named, CreateUserDefinedFunction statement, String python) {
    FolderCatalog catalog = named.catalog();
    try {
      Folders.checked(named.name().name());
      catalog.requireNamespace(named.name().namespace());
    } catch (NoSuchNamespaceException error) {
      throw Errors.unchecked(error);
    }
    if (catalog.functionExists(named.name())) {
      if (statement.ignoreIfExists()) {
        return;
      }
      if (!statement.replace()) {
        throw Errors.unchecked(new FunctionAlreadyExistsException(full(named)));
      }
    }
    catalog.putFunction(named.name(), analyzed(session, named.name().name(), statement), python);
  }

  static void drop(Named named, boolean ifExists) {
    if (!named.catalog().dropFunction(named.name()) && !ifExists) {
      throw Errors.unchecked(new NoSuchFunctionException(named.catalog().full(named.name())));
    }
  }

  /** Return what Spark tells of a function that exists, but for the engine's own settings and what it takes for the function's catalog. */
  static List<List<Object>> described(SparkSession session, Named named, boolean isExtended) {
    Seq<Row> rows = new DescribeFunctionCommand(named.catalog().info(named.name()).orElseThrow(), isExtended).run(session);
    List<List<Object>> told = new ArrayList<>();
    boolean isSetting = false;
    Optional<String> python = named.catalog().python(named.name());
    for (Row row : CollectionConverters.asJava(rows)) {
      String line = row.getString(0);
      if (python.isPresent() && line.startsWith("Body:")) {
        told.add(List.of("Language:      PYTHON"));
        line = "Body:          " + python.get();
      }
      isSetting = line.startsWith("Configs:") || (isSetting && line.startsWith(" "));
      if (!isSetting) {
        told.add(List.of(told.isEmpty() ? line.replace("spark_catalog.", "") : line));
      }
    }
    return told;
  }

  /**
   * Return what Spark keeps of a function. It finds that out, and whether the function is right, by making a temporary one: in a session
   * where nothing else is temporary, since what persists must not refer to that.
   */
  private static ExpressionInfo analyzed(SparkSession session, String name, CreateUserDefinedFunction statement) {
    SparkSession apart = session.newSession();
    SparkSession.setActiveSession(apart);
    try {
      settle(session, apart);
      FunctionIdentifier temporary = new FunctionIdentifier(name);
      new CreateSQLFunctionCommand(
              temporary, statement.inputParamText(), statement.returnTypeText(), statement.exprText(), statement.queryText(),
              statement.comment(), statement.collation(), statement.isDeterministic(), statement.containsSQL(), statement.isTableFunc(),
              true, false, true)
          .run(apart);
      SessionCatalog catalog = apart.sessionState().catalog();
      return statement.isTableFunc()
          ? catalog.lookupBuiltinOrTempTableFunction(name).get()
          : catalog.lookupBuiltinOrTempFunction(name).get();
    } finally {
      SparkSession.setActiveSession(session);
    }
  }

  private static void settle(SparkSession session, SparkSession apart) {
    Catalogs.meet(apart);
    CatalogManager from = session.sessionState().catalogManager();
    CatalogManager to = apart.sessionState().catalogManager();
    to.setCurrentCatalog(from.currentCatalog().name());
    if (!Arrays.equals(to.currentNamespace(), from.currentNamespace())) {
      to.setCurrentNamespace(from.currentNamespace());
    }
  }

  private static Seq<String> full(Named named) {
    List<String> parts = List.of(named.catalog().name(), named.name().namespace()[0], named.name().name());
    return Seq.from(CollectionConverters.asScala(parts));
  }
}
