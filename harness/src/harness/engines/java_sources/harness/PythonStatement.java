package harness;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.spark.sql.catalyst.parser.ParseException;
import org.apache.spark.sql.catalyst.plans.logical.CreateUserDefinedFunction;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.execution.SparkSqlParser;

/**
 * {@code CREATE FUNCTION … LANGUAGE PYTHON … AS $$ … $$} (docs.databricks.com/sql/language-manual/sql-ref-syntax-ddl-create-sql-function),
 * as the SQL function that calls the body.
 */
record PythonStatement(CreateUserDefinedFunction create, String body) {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern BODY = Pattern.compile("\\bAS\\s+\\$(\\w*)\\$(.*)\\$\\1\\$[\\s;]*$", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
  private static final String[] CLAUSES =
      {"LANGUAGE", "DETERMINISTIC", "NOT", "COMMENT", "CONTAINS", "READS", "HANDLER", "PARAMETER", "ENVIRONMENT", "DEFAULT"};

  static PythonStatement of(SparkSession session, String sql) {
    Matcher quoted = BODY.matcher(sql);
    if (!quoted.find()) {
      throw new Words(sql.substring(sql.length())).error("AS $$ the body of the function $$");
    }
    Tokens tokens = new Tokens(sql.substring(0, quoted.start()));
    int type = tokens.next(0, "RETURNS") + 1;
    if (tokens.is(type, "TABLE")) {
      throw Refusals.refused("RETURNS TABLE of a function in Python", "write a table function in SQL");
    }
    int clauses = tokens.next(type, CLAUSES);
    Clauses said = clauses(new Words(tokens.source(clauses, tokens.next(clauses))));
    String function =
        tokens.source(0, clauses) + (said.deterministic ? " DETERMINISTIC" : " NOT DETERMINISTIC")
            + (said.comment == null ? "" : " COMMENT '" + said.comment.replace("\\", "\\\\").replace("'", "\\'") + "'") + " RETURN ";
    CreateUserDefinedFunction declared = parsed(function + "NULL");
    List<String> parameters = parameters(session, declared);
    Map<String, Object> told = new LinkedHashMap<>();
    told.put("name", name(session, declared));
    told.put("parameters", parameters);
    told.put("returns", declared.returnTypeText());
    told.put("body", quoted.group(2));
    told.put("handler", said.handler);
    told.put("deterministic", said.deterministic);
    String values = parameters.stream().map(each -> ", `" + each.replace("`", "``") + "`").collect(Collectors.joining());
    String call = PythonFunctions.NAME + "('" + hex(told) + "'" + values + ")";
    return new PythonStatement(parsed(function + call), quoted.group(2));
  }

  private static final class Clauses {
    private boolean deterministic = true; // Assumption: as functions in SQL are when nothing is said
    private String comment;
    private String handler = "";
  }

  private static Clauses clauses(Words words) {
    Clauses said = new Clauses();
    while (!words.isAtEnd()) {
      if (words.take("NOT", "DETERMINISTIC")) {
        said.deterministic = false;
      } else if (words.take("COMMENT")) {
        said.comment = words.text("a comment");
      } else if (words.take("HANDLER")) {
        said.handler = words.text("the name of a function in the body");
      } else if (words.take("PARAMETER", "STYLE")) {
        throw Refusals.refused("PARAMETER STYLE PANDAS", "functions in Python are called for each row");
      } else if (words.take("ENVIRONMENT")) {
        throw Refusals.refused("ENVIRONMENT of a function", "functions in Python have the harness's own packages");
      } else if (!words.take("LANGUAGE", "PYTHON") && !words.take("DETERMINISTIC") && !words.take("CONTAINS", "SQL") && !words.take("READS", "SQL", "DATA")) {
        throw words.error("a characteristic of a function in Python");
      }
    }
    return said;
  }

  private static CreateUserDefinedFunction parsed(String sql) {
    if (new SparkSqlParser().parsePlan(sql) instanceof CreateUserDefinedFunction create) {
      return create;
    }
    throw Refusals.refused("A temporary function in Python made by SQL", "use spark.udf.register, or a function of a schema");
  }

  private static List<String> parameters(SparkSession session, CreateUserDefinedFunction declared) {
    try {
      return declared.inputParamText().isEmpty() || declared.inputParamText().get().isBlank()
          ? List.of()
          : Arrays.asList(session.sessionState().sqlParser().parseRoutineParam(declared.inputParamText().get()).fieldNames());
    } catch (ParseException error) {
      throw Errors.unchecked(error);
    }
  }

  private static String name(SparkSession session, CreateUserDefinedFunction declared) {
    Named named = EngineStatements.made(session, declared);
    return named.catalog().told(named.name());
  }

  private static String hex(Map<String, Object> told) {
    try {
      return HexFormat.of().formatHex(JSON.writeValueAsString(told).getBytes(StandardCharsets.UTF_8));
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
