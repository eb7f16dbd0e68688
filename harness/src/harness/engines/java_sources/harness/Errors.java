package harness;

import org.apache.spark.QueryContext;
import org.apache.spark.sql.AnalysisException;
import scala.Option;
import scala.collection.immutable.Map$;

/** Spark's own kind of error: a client gets its condition and SQL state. */
final class Errors {
  private Errors() {}

  static AnalysisException of(String condition, String sqlState, String message) {
    return new AnalysisException(
        "[" + condition + "] " + message + " SQLSTATE: " + sqlState,
        Option.empty(),
        Option.empty(),
        Option.empty(),
        Option.apply(condition),
        Map$.MODULE$.empty(),
        new QueryContext[0],
        Option.apply(sqlState),
        Option.apply(message));
  }

  /** Throw a checked exception through an interface that declares none (Scala has no checked exceptions). */
  @SuppressWarnings("unchecked")
  static <E extends Throwable> RuntimeException unchecked(Throwable error) throws E {
    throw (E) error;
  }
}
