package harness;

import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.NamedParameterContext;
import org.apache.spark.sql.catalyst.parser.ParameterContext;
import org.apache.spark.sql.catalyst.parser.PositionalParameterContext;
import scala.jdk.javaapi.CollectionConverters;

/** Parameters of a statement that Spark does not parse: they become the literals that they stand for. */
final class Parameters {
  private Parameters() {}

  static boolean isEmpty(ParameterContext parameters) {
    return (parameters instanceof NamedParameterContext named && !named.params().iterator().hasNext())
        || (parameters instanceof PositionalParameterContext positional && !positional.params().iterator().hasNext());
  }

  /** Return the text with every marker that has a value as that value's literal. */
  static String bound(String sql, ParameterContext parameters) {
    Map<String, Expression> named = new HashMap<>();
    Iterator<Expression> positional = List.<Expression>of().iterator();
    if (parameters instanceof NamedParameterContext given) {
      named.putAll(CollectionConverters.asJava(given.params()));
    } else if (parameters instanceof PositionalParameterContext given) {
      positional = CollectionConverters.asJava(given.params()).iterator();
    }
    Tokens tokens = new Tokens(sql);
    StringBuilder text = new StringBuilder();
    for (int index = 0; !tokens.isEnd(index); index++) {
      String name = tokens.text(index + 1, index + 2);
      if (tokens.is(index, ":") && named.containsKey(name)) {
        text.append(named.get(name).sql()).append(tokens.source(index + 1, index + 2).substring(name.length()));
        index++;
      } else if (tokens.is(index, "?") && positional.hasNext()) {
        text.append(positional.next().sql()).append(tokens.source(index, index + 1).substring(1));
      } else {
        text.append(tokens.source(index, index + 1));
      }
    }
    return text.toString();
  }
}
