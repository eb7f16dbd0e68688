package harness;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.catalyst.parser.SqlBaseLexer;

/**
 * What only the platform knows, as Spark can carry it out: each such statement becomes a {@code CALL} of {@link PlatformStatements}.
 *
 * <p>The call carries the statement's text as bytes, and beside it every literal, parameter and {@code IDENTIFIER(…)} in it as an
 * expression of its own, which stands in the text as {@code ?0}, {@code ?1} and so on: Spark binds and evaluates them, by the session's
 * own rules, and no value is ever read as SQL.
 */
final class Rewriting {
  private final Tokens tokens;

  private Rewriting(Tokens tokens) {
    this.tokens = tokens;
  }

  /** The text with the platform's statements rewritten, if it is one of them or a script that holds some. */
  static Optional<String> of(String sql) {
    Tokens tokens = new Tokens(sql);
    Rewriting rewriting = new Rewriting(tokens);
    if (tokens.is(0, "BEGIN")) {
      return rewriting.script();
    }
    if (!rewriting.isOurs(0)) {
      return Optional.empty();
    }
    String rewritten = rewriting.statement(0, tokens.next(0));
    return tokens.hasOpenComment() ? Optional.empty() : Optional.of(rewritten);
  }

  /** The text as a call, though Spark could parse it. */
  static String called(String sql) {
    Tokens tokens = new Tokens(sql);
    return new Rewriting(tokens).statement(0, tokens.next(0));
  }

  private Optional<String> script() {
    StringBuilder script = new StringBuilder();
    int copied = 0;
    int index = 0;
    boolean changed = false;
    while (!tokens.isEnd(index)) {
      int end = beginsStatement(index) && isOurs(index) ? tokens.next(index, ";") : index;
      if (end > index && !tokens.isEnd(end)) {
        script.append(tokens.source(copied, index)).append(statement(index, end));
        copied = end;
        index = end;
        changed = true;
      } else {
        index++;
      }
    }
    script.append(tokens.source(copied, index));
    return changed && !tokens.hasOpenComment() ? Optional.of(script.toString()) : Optional.empty();
  }

  private boolean beginsStatement(int index) {
    return index > 0 && tokens.is(index - 1, "BEGIN", ";", "THEN", "ELSE", "DO", "LOOP", "REPEAT");
  }

  /** Whether a statement that only the platform knows begins here. What Spark understands, Spark carries out. */
  private boolean isOurs(int at) {
    return switch (tokens.word(at)) {
      case "CREATE" ->
          tokens.is(at + 1, "CATALOG", "VOLUME")
              || tokens.is(at + 1, "EXTERNAL") && tokens.is(at + 2, "VOLUME")
              || tokens.is(at + 1, "FOREIGN") && tokens.is(at + 2, "CATALOG");
      case "DROP" -> tokens.is(at + 1, "CATALOG", "VOLUME");
      case "ALTER" -> tokens.is(at + 1, "CATALOG", "VOLUME") || changesWhatSparkHasNot(at + 1);
      case "DESCRIBE", "DESC" -> tokens.is(at + 1, "CATALOG", "VOLUME") && tokens.isName(at + 2);
      case "SHOW" -> tokens.is(at + 1, "CATALOGS", "VOLUMES", "GRANT", "GRANTS");
      case "GRANT", "REVOKE" -> tokens.is(afterNames(at + 1), "ON") || tokens.is(at + 1, "ON");
      case "COMMENT" -> tokens.is(at + 1, "ON") && tokens.is(at + 2, "CATALOG", "VOLUME", "COLUMN");
      case "LIST" -> isValue(at + 1);
      case "USE" -> tokens.is(at + 1, "CATALOG") && tokens.isName(at + 2);
      case "SET", "UNSET" -> tokens.is(at + 1, "TAG") && tokens.is(at + 2, "ON");
      default -> false;
    };
  }

  /** After {@code ALTER}: names and words, and then tags, an owner, a key or an optimization that Spark has not. */
  private boolean changesWhatSparkHasNot(int at) {
    if (!tokens.is(at, "SCHEMA", "DATABASE", "TABLE", "VIEW", "MATERIALIZED", "STREAMING", "FUNCTION")) {
      return false;
    }
    for (int index = at + 1; tokens.isName(index) || tokens.is(index, "."); index++) {
      if (tokens.is(index, "SET", "UNSET") && tokens.is(index + 1, "TAGS") && tokens.is(index + 2, "(")) {
        return true;
      }
      if (tokens.is(index, "OWNER") && tokens.is(index + 1, "TO") && tokens.isName(index + 2)) {
        return true;
      }
      if (tokens.is(index, "ENABLE", "DISABLE", "INHERIT") && tokens.is(index + 1, "PREDICTIVE")) {
        return true;
      }
      if (tokens.is(index, "DROP") && tokens.is(index + 1, "PRIMARY", "FOREIGN") && tokens.is(index + 2, "KEY")) {
        return true;
      }
      if (opensIdentifier(index)) {
        index = tokens.next(index + 2, ")");
      }
    }
    return false;
  }

  private int afterNames(int from) {
    int index = from;
    while (tokens.isName(index) && !tokens.is(index, "ON") || tokens.is(index, ",")) {
      index++;
    }
    return index;
  }

  private boolean opensIdentifier(int index) {
    return tokens.is(index, "IDENTIFIER") && tokens.is(index + 1, "(");
  }

  private boolean isLiteral(int index) {
    int type = tokens.type(index);
    return type == SqlBaseLexer.STRING_LITERAL || type == SqlBaseLexer.DOUBLEQUOTED_STRING;
  }

  private boolean isParameter(int index) {
    return tokens.is(index, "?") || tokens.is(index, ":") && tokens.isName(index + 1);
  }

  private boolean isValue(int index) {
    return isLiteral(index) || isParameter(index);
  }

  private String statement(int from, int to) {
    if (tokens.is(from, "USE")) {
      return "SET CATALOG " + tokens.text(from + 2, to); // which Spark knows
    }
    if (tokens.is(from, "COMMENT") && tokens.is(from + 2, "COLUMN")) {
      return commentOnColumn(from + 3, to);
    }
    StringBuilder statement = new StringBuilder();
    List<String> values = new ArrayList<>();
    int index = from;
    while (index < to) {
      int begin = opensIdentifier(index) ? index + 2 : index;
      int end = opensIdentifier(index) ? Math.min(tokens.next(begin, ")"), to) : valueEnd(index, to);
      if (begin > index) {
        append(statement, index, begin);
      }
      if (end > begin) {
        values.add("CAST(" + tokens.text(begin, end) + " AS STRING)"); // not what follows: a comment there would go on
        statement.append('?').append(values.size() - 1).append(' ');
        index = end;
      } else {
        append(statement, begin, begin + 1);
        index = begin + 1;
      }
    }
    return call(statement.toString(), values);
  }

  /** {@code COMMENT ON COLUMN t.c IS …}, as Spark knows it. */
  private String commentOnColumn(int from, int to) {
    int is = tokens.next(from, "IS");
    int column = is - 1;
    String comment = tokens.is(is + 1, "NULL") ? "''" + tokens.text(is + 2, to) : tokens.text(is + 1, to);
    return "ALTER TABLE " + tokens.text(from, column - 1) + " ALTER COLUMN " + tokens.text(column, is) + " COMMENT " + comment;
  }

  /** Where the literals (which Spark puts together when they stand side by side) or the parameter that begins here ends. */
  private int valueEnd(int from, int to) {
    int index = from;
    while (index < to && isLiteral(index)) {
      index++;
    }
    return index == from && isParameter(from) ? from + (tokens.is(from, "?") ? 1 : 2) : index;
  }

  /** Add tokens as they stand, and for comments between them as much space. */
  private void append(StringBuilder statement, int from, int to) {
    for (int index = from; index < to; index++) {
      String text = tokens.text(index, index + 1);
      String after = tokens.source(index, index + 1).substring(text.length());
      statement.append(text).append(after.replaceAll("[^\\n]", " "));
    }
  }

  private static String call(String statement, List<String> values) {
    String text = HexFormat.of().formatHex(statement.getBytes(StandardCharsets.UTF_8));
    return "CALL " + PlatformStatements.CATALOG + ".system." + PlatformStatements.NAME
        + "(X'" + text + "', CAST(array(" + String.join(", ", values) + ") AS ARRAY<STRING>))";
  }
}
