package harness;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** A {@code COPY INTO} statement: docs.databricks.com/sql/language-manual/delta-copy-into. */
record CopyStatement(
    List<String> table, Positions positions, String select, String source, String format, List<String> files, String pattern,
    Map<String, String> formatOptions, boolean mergeSchema, boolean force) {

  private static final Set<String> FORMATS = Set.of("csv", "json", "parquet", "orc", "text", "binaryfile", "xml");

  /** Which of the table's columns those of the source are, one after the other: these, or {@code BY POSITION} all that can be written. */
  record Positions(List<String> columns, boolean isAll) {}

  static CopyStatement of(String sql) {
    Words words = new Words(sql);
    words.expect("COPY", "INTO");
    List<String> table = words.name();
    Positions positions = positions(words);
    words.expect("FROM");
    String select = null;
    if (words.take("(")) {
      words.expect("SELECT");
      select = words.upTo("FROM");
    }
    String source = words.text("a path");
    if (words.take("WITH")) {
      throw refused("WITH (CREDENTIAL …)");
    }
    if (select != null) {
      words.expect(")");
    }
    words.expect("FILEFORMAT", "=");
    String format = words.next("a format").toLowerCase(Locale.ROOT);
    if (format.equals("avro")) {
      throw refused("FILEFORMAT = AVRO (Spark's module for it is a package of its own)");
    }
    if (!FORMATS.contains(format)) {
      throw words.error("one of the formats " + String.join(", ", FORMATS.stream().sorted().toList()) + " but not " + format);
    }
    return clauses(words, table, positions, select, source, format);
  }

  private static Positions positions(Words words) {
    if (words.take("BY", "POSITION")) {
      return new Positions(List.of(), true);
    }
    if (!words.take("(")) {
      return null;
    }
    List<String> columns = new ArrayList<>(List.of(words.next("a column")));
    while (words.take(",")) {
      columns.add(words.next("a column"));
    }
    words.expect(")");
    return new Positions(columns, false);
  }

  private static CopyStatement clauses(
      Words words, List<String> table, Positions positions, String select, String source, String format) {
    List<String> files = List.of();
    String pattern = null;
    Map<String, String> formatOptions = Map.of();
    Map<String, String> copyOptions = new HashMap<>();
    while (!words.isAtEnd()) {
      if (words.take("FILES", "=")) {
        files = words.texts();
      } else if (words.take("PATTERN", "=")) {
        pattern = words.text("a pattern");
      } else if (words.take("FORMAT_OPTIONS")) {
        formatOptions = words.options();
      } else if (words.take("COPY_OPTIONS")) {
        words.options().forEach((key, value) -> copyOptions.put(key.toLowerCase(Locale.ROOT), value));
      } else if (words.take("VALIDATE")) {
        throw refused("VALIDATE");
      } else {
        throw words.error("FILES, PATTERN, FORMAT_OPTIONS or COPY_OPTIONS");
      }
    }
    if (!files.isEmpty() && pattern != null) {
      throw words.error("either FILES or PATTERN");
    }
    boolean mergeSchema = isSet(copyOptions, "mergeschema");
    boolean force = isSet(copyOptions, "force");
    for (String other : copyOptions.keySet()) {
      throw refused("COPY_OPTIONS '" + other + "'");
    }
    return new CopyStatement(table, positions, select, source, format, files, pattern, formatOptions, mergeSchema, force);
  }

  /** The value of an option of the reader, whose names are the same in upper and lower case. */
  boolean isRead(String option) {
    return formatOptions.entrySet().stream().anyMatch(each -> each.getKey().equalsIgnoreCase(option) && Boolean.parseBoolean(each.getValue()));
  }

  private static boolean isSet(Map<String, String> options, String key) {
    return Boolean.parseBoolean(options.remove(key));
  }

  private static RuntimeException refused(String what) {
    return new UnsupportedOperationException("COPY INTO: " + what + " is not emulated by the harness");
  }
}
