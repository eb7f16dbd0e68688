package harness;

import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.analysis.UnresolvedTableValuedFunction;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.rules.Rule;
import org.apache.spark.sql.classic.SparkSession;
import scala.Function1;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractPartialFunction;

/** Calls of our catalogs' table functions: Spark looks for those in its own session catalog only. */
final class TableFunctions extends Rule<LogicalPlan> {
  private final SparkSession session;

  TableFunctions(SparkSession session) {
    this.session = session;
  }

  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.resolveOperatorsUp(
        new AbstractPartialFunction<>() {
          @Override
          public boolean isDefinedAt(LogicalPlan each) {
            return found(each).isPresent();
          }

          @Override
          public <A extends LogicalPlan, B> B applyOrElse(A each, Function1<A, B> otherwise) {
            Optional<LogicalPlan> found = found(each);
            @SuppressWarnings("unchecked")
            B call = found.isPresent() ? (B) found.get() : otherwise.apply(each);
            return call;
          }
        });
  }

  private Optional<LogicalPlan> found(LogicalPlan plan) {
    if (!(plan instanceof UnresolvedTableValuedFunction call) || isSparkS(call)) {
      return Optional.empty();
    }
    return Named.find(session, call.name()).flatMap(named -> named.catalog().table(named.name(), call.functionArgs()));
  }

  private boolean isSparkS(UnresolvedTableValuedFunction call) {
    List<String> name = CollectionConverters.asJava(call.name());
    return name.size() == 1 && session.sessionState().catalog().lookupBuiltinOrTempTableFunction(name.get(0)).isDefined();
  }
}
