package harness;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.antlr.v4.runtime.CharStreams;
import org.antlr.v4.runtime.Token;
import org.apache.spark.sql.catalyst.parser.SqlBaseLexer;
import org.apache.spark.sql.catalyst.parser.UpperCaseCharStream;

/** A text as Spark's own lexer reads it, without comments, and no further than it is asked for. */
final class Tokens {
  private final int[] text;
  private final SqlBaseLexer lexer;
  private final List<Token> read = new ArrayList<>();

  Tokens(String sql) {
    text = sql.codePoints().toArray();
    lexer = new SqlBaseLexer(new UpperCaseCharStream(CharStreams.fromString(sql)));
    lexer.removeErrorListeners(); // what is no token is no statement of ours, and Spark's parser says what is wrong
  }

  private Token token(int index) {
    while (read.size() <= index) {
      Token next = lexer.nextToken();
      if (next.getChannel() == Token.DEFAULT_CHANNEL) {
        read.add(next);
      }
      if (next.getType() == Token.EOF) {
        break;
      }
    }
    return read.get(Math.min(index, read.size() - 1));
  }

  int type(int index) {
    return token(index).getType();
  }

  boolean isEnd(int index) {
    return type(index) == Token.EOF;
  }

  /** A keyword or symbol in upper case; a quoted name or literal as it stands. */
  String word(int index) {
    return isEnd(index) ? "" : token(index).getText().toUpperCase(Locale.ROOT);
  }

  boolean is(int index, String... words) {
    return List.of(words).contains(word(index));
  }

  /** Whether it may be a part of a name: a word, quoted or not. */
  boolean isName(int index) {
    return word(index).matches("(?Us)\\w+|`.*`");
  }

  /** The text between the beginnings of two tokens, with the comments in it. */
  String source(int from, int to) {
    int begin = begin(from);
    return new String(text, begin, begin(to) - begin);
  }

  /** The text of the tokens in `[from, to)`. */
  String text(int from, int to) {
    int begin = begin(from);
    return new String(text, begin, to <= from ? 0 : token(to - 1).getStopIndex() + 1 - begin);
  }

  /** The first index from `from` on of a token that stands in no brackets and is one of `words`, or of the end. */
  int next(int from, String... words) {
    int depth = 0;
    int index = from;
    while (!isEnd(index) && (depth > 0 || !is(index, words))) {
      depth += is(index, "(") ? 1 : is(index, ")") ? -1 : 0;
      index++;
    }
    return index;
  }

  boolean hasOpenComment() {
    return lexer.has_unclosed_bracketed_comment;
  }

  private int begin(int index) {
    return isEnd(index) ? text.length : token(index).getStartIndex();
  }
}
