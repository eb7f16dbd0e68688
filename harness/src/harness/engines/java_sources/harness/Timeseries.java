package harness;

import java.util.Locale;

/**
 * {@code PRIMARY KEY (id, at TIMESERIES)}: Spark cannot parse the word, so it travels with the column's name until {@link Keys} reads that.
 */
final class Timeseries {
  private static final String WORD = "TIMESERIES";
  private static final String MARK = "\u001f" + WORD; // in no column's name

  private Timeseries() {}

  /** The text with the word in the names of the columns of primary keys that have it. */
  static String marked(String sql) {
    if (!sql.toUpperCase(Locale.ROOT).contains(WORD)) {
      return sql;
    }
    Tokens tokens = new Tokens(sql);
    StringBuilder marked = new StringBuilder();
    int copied = 0;
    int index = 0;
    for (; !tokens.isEnd(index); index++) {
      if (!(tokens.is(index, "PRIMARY") && tokens.is(index + 1, "KEY") && tokens.is(index + 2, "("))) {
        continue;
      }
      for (int at = index + 3; !tokens.isEnd(at) && !tokens.is(at, ")"); at++) {
        if (tokens.isName(at) && tokens.is(at + 1, WORD) && tokens.is(at + 2, ",", ")")) {
          marked.append(tokens.source(copied, at)).append(marked(tokens.text(at, at + 1), "`"));
          copied = at + 2;
        }
      }
    }
    return copied == 0 ? sql : marked.append(tokens.source(copied, index)).toString();
  }

  private static String marked(String name, String quote) {
    String bare = name.startsWith(quote) ? name.substring(1, name.length() - 1) : name;
    return quote + bare + MARK + quote;
  }

  static boolean isMarked(String column) {
    return column.endsWith(MARK);
  }

  static String unmarked(String column) {
    return isMarked(column) ? column.substring(0, column.length() - MARK.length()) : column;
  }
}
