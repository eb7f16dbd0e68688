package harness;

import java.util.List;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** The SQL function {@code ai_query}: Python binds its arguments, this side raises Spark's own kind of error. */
public final class AiQuery extends AbstractFunction1<Seq<Expression>, Expression> {
  /** What Python answers: an expression, or why there is none. */
  public record Answer(Expression expression, String condition, String sqlState, String message) {}

  /** The Python side. */
  public interface Binder {
    Answer bind(List<Expression> arguments);
  }

  private final Binder binder;

  AiQuery(Binder binder) {
    this.binder = binder;
  }

  /** Answer with an expression. */
  public static Answer found(Expression expression) {
    return new Answer(expression, null, null, null);
  }

  /** Answer with an error. */
  public static Answer failed(String condition, String sqlState, String message) {
    return new Answer(null, condition, sqlState, message);
  }

  /** Make {@code ai_query} known to every session opened from now on. */
  public static void register(Binder binder) {
    FunctionRegistry.builtin()
        .registerFunction(
            new FunctionIdentifier("ai_query"),
            new ExpressionInfo("ai_query", "ai_query"),
            new AiQuery(binder));
  }

  @Override
  public Expression apply(Seq<Expression> arguments) {
    Answer answer = binder.bind(CollectionConverters.asJava(arguments));
    if (answer.expression() == null) {
      throw raise(Errors.of(answer.condition(), answer.sqlState(), answer.message()));
    }
    return answer.expression();
  }

  /** Throw a checked exception through an interface that declares none (Scala has no checked exceptions). */
  @SuppressWarnings("unchecked")
  private static <E extends Throwable> RuntimeException raise(Throwable error) throws E {
    throw (E) error;
  }
}
