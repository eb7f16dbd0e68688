package harness;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The words of a statement that Spark's grammar lacks, read one after the other. */
final class Words {
  private static final Pattern WORD =
      Pattern.compile(
          "(?<space>\\s+|--[^\\n]*|/\\*.*?\\*/)|(?<text>'(?:[^'\\\\]|\\\\.|'')*'|\"(?:[^\"\\\\]|\\\\.)*\")|`(?<name>(?:[^`]|``)*)`"
              + "|[\\p{L}\\p{N}_$]+|.",
          Pattern.DOTALL);

  /** One word: as it is written, what it says, and where. */
  private record Word(String written, String said, boolean isText, int start, int end) {}

  private final String sql;
  private final List<Word> words = new ArrayList<>();
  private int at;

  Words(String sql) {
    this.sql = sql;
    Matcher matcher = WORD.matcher(sql);
    while (matcher.find()) {
      if (matcher.group("space") == null) {
        words.add(word(matcher));
      }
    }
  }

  private static Word word(Matcher matcher) {
    String written = matcher.group();
    String text = matcher.group("text");
    String name = matcher.group("name");
    String said = written;
    if (text != null) {
      said = text.substring(1, text.length() - 1).replace("''", "'").replaceAll("\\\\(.)", "$1");
    } else if (name != null) {
      said = name.replace("``", "`");
    }
    return new Word(written, said, text != null, matcher.start(), matcher.end());
  }

  boolean isAtEnd() {
    return at == words.size() || (words.get(at).written().equals(";") && at == words.size() - 1);
  }

  /** Go on when the next words are these. */
  boolean take(String... wanted) {
    for (int i = 0; i < wanted.length; i++) {
      if (at + i >= words.size() || !words.get(at + i).written().equalsIgnoreCase(wanted[i])) {
        return false;
      }
    }
    at += wanted.length;
    return true;
  }

  void expect(String... wanted) {
    if (!take(wanted)) {
      throw error(String.join(" ", wanted));
    }
  }

  List<String> name() {
    if (take("IDENTIFIER", "(")) {
      List<String> parts = new Words(text("a name as a text")).name();
      expect(")");
      return parts;
    }
    List<String> parts = new ArrayList<>(List.of(next("a name")));
    while (take(".")) {
      parts.add(next("a name"));
    }
    return parts;
  }

  String next(String wanted) {
    if (isAtEnd() || "(),=.".contains(words.get(at).written())) {
      throw error(wanted);
    }
    return words.get(at++).said();
  }

  String text(String wanted) {
    if (isAtEnd() || !words.get(at).isText()) {
      throw error(wanted);
    }
    return words.get(at++).said();
  }

  List<String> texts() {
    expect("(");
    List<String> texts = new ArrayList<>(List.of(text("a text")));
    while (take(",")) {
      texts.add(text("a text"));
    }
    expect(")");
    return texts;
  }

  Map<String, String> options() {
    Map<String, String> options = new LinkedHashMap<>();
    expect("(");
    do {
      StringBuilder key = new StringBuilder(next("the name of an option"));
      while (take(".")) {
        key.append(".").append(next("the name of an option"));
      }
      expect("=");
      options.put(key.toString(), next("the value of an option"));
    } while (take(","));
    expect(")");
    return options;
  }

  /** Return what is written up to a word on the same level of brackets, and go on after that word. */
  String upTo(String word) {
    int begin = isAtEnd() ? sql.length() : words.get(at).start();
    int last = -1;
    int depth = 0;
    for (int i = at; i < words.size() && depth >= 0; i++) {
      String written = words.get(i).written();
      depth += written.equals("(") ? 1 : written.equals(")") ? -1 : 0;
      if (depth == 0 && written.equalsIgnoreCase(word)) {
        last = i;
      }
    }
    if (last < 0) {
      throw error(word);
    }
    at = last + 1;
    return sql.substring(begin, words.get(last).start());
  }

  RuntimeException error(String expected) {
    String found = isAtEnd() ? "end of input" : "'" + words.get(at).written() + "'";
    return Errors.unchecked(
        Errors.of("PARSE_SYNTAX_ERROR", "42601", "Syntax error at or near " + found + ": expected " + expected + "."));
  }
}
