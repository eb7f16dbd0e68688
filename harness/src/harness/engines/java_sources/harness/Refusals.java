package harness;

import java.util.List;

/** What the platform can carry out and nothing here can: refused by name, instead of as an error in the statement. */
final class Refusals {
  static final String NO_PLAN = "Spark makes no plan of it";

  private static final List<String> VERBS =
      List.of("CREATE", "ALTER", "DROP", "DESCRIBE", "DESC", "SHOW", "REFRESH", "UNDROP", "SYNC", "VALIDATE");

  private static final List<String> OBJECTS =
      List.of(
          "SHARE", "SHARES", "RECIPIENT", "RECIPIENTS", "PROVIDER", "PROVIDERS", "CONNECTION", "CONNECTIONS", "SERVER", "CREDENTIAL",
          "CREDENTIALS", "EXTERNAL LOCATION", "EXTERNAL LOCATIONS", "STORAGE CREDENTIAL", "STORAGE CREDENTIALS", "SERVICE CREDENTIAL",
          "SERVICE CREDENTIALS", "MATERIALIZED VIEW", "STREAMING TABLE", "FLOW", "POLICY", "POLICIES", "GROUP", "GROUPS", "USERS",
          "BLOOMFILTER INDEX", "CLEAN ROOM", "CLEAN ROOMS");

  private static final List<String> NAMED = List.of("SHARE", "RECIPIENT", "PROVIDER", "CONNECTION", "CREDENTIAL");
  private static final List<String> MODES = List.of("LOGICAL", "FORMATTED", "EXTENDED", "CODEGEN", "COST");
  private static final List<String> BEFORE = List.of("OR", "REPLACE", "REFRESH", "PRIVATE", "TEMPORARY", "ALL");

  private Refusals() {}

  /** Refuse what Spark would take for something else: {@code DESCRIBE SHARE s} for a column, and the plan of what has none. */
  static void beforeSpark(String sql) {
    Tokens tokens = new Tokens(sql);
    if (tokens.is(0, "EXPLAIN")) {
      int begin = tokens.is(1, MODES.toArray(String[]::new)) ? 2 : 1;
      String explained = tokens.source(begin, tokens.next(begin));
      if (Rewriting.of(explained).isPresent() || EngineStatements.rewritten(explained).isPresent()) {
        throw refused("EXPLAIN of " + tokens.word(begin) + " " + tokens.word(begin + 1), NO_PLAN);
      }
    }
    boolean isDescribed = tokens.is(0, "DESCRIBE", "DESC") && !tokens.is(1, "TABLE", "EXTENDED") && tokens.isName(2) && tokens.isEnd(3);
    if (isDescribed && (NAMED.contains(tokens.word(1)) || tokens.is(1, "EXTERNAL", "STORAGE", "SERVICE"))) {
      after(tokens);
    }
  }

  /** Refuse what Spark does not understand and the platform does. */
  static void afterSpark(String sql) {
    after(new Tokens(sql));
  }

  private static void after(Tokens tokens) {
    if (!VERBS.contains(tokens.word(0))) {
      return;
    }
    int at = 1;
    while (BEFORE.contains(tokens.word(at))) {
      at++;
    }
    for (String object : List.of(tokens.word(at) + " " + tokens.word(at + 1), tokens.word(at))) {
      if (OBJECTS.contains(object)) {
        throw refused(tokens.word(0) + " " + object, "no such object can be made here");
      }
    }
  }

  static RuntimeException refused(String what, String why) {
    return new UnsupportedOperationException(what + " is not emulated by the harness; " + why);
  }
}
