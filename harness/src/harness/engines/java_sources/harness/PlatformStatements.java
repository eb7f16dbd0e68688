package harness;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.CatalogManager;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.ProcedureCatalog;
import org.apache.spark.sql.connector.catalog.procedures.BoundProcedure;
import org.apache.spark.sql.connector.catalog.procedures.ProcedureParameter;
import org.apache.spark.sql.connector.catalog.procedures.UnboundProcedure;
import org.apache.spark.sql.connector.read.LocalScan;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * Statements that Unity Catalog knows and Spark does not: the parser makes each a {@code CALL} of the one procedure of this catalog, which
 * Spark carries out at once and once, and the harness answers (harness/platform_sql).
 */
public final class PlatformStatements implements ProcedureCatalog, UnboundProcedure, BoundProcedure {
  /** No user's catalog can have this name: folders that begin with an underscore are none. */
  static final String CATALOG = "__harness";

  private static final String NAME = "platform_statement";
  private static final Pattern OURS =
      Pattern.compile(
          "(?:\\s|--[^\\n]*(?:\\n|$)|/\\*.*?\\*/)*+"
              + "(?:(?:CREATE|DROP|ALTER|DESCRIBE|DESC)\\s+CATALOG\\s|SHOW\\s+CATALOGS\\b"
              + "|(?:CREATE|CREATE\\s+EXTERNAL|DROP|ALTER|DESCRIBE|DESC)\\s+VOLUME\\s|SHOW\\s+VOLUMES\\b"
              + "|GRANT\\s|REVOKE\\s|SHOW\\s+GRANTS?\\b|COMMENT\\s+ON\\s+(?:CATALOG|VOLUME)\\s|LIST\\s+['\"])",
          Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

  private static volatile Asker asker;

  /** What the harness answers: rows of texts and numbers by the schema's DDL, or why there are none. */
  public record Answer(
      String schema, List<List<Object>> rows, String condition, String sqlState, String message) {}

  /** The Python side. */
  public interface Asker {
    Answer ask(String statement, String catalog, String schema);
  }

  public static void register(Asker given) {
    asker = given;
  }

  public static Answer rows(String schema, List<List<Object>> rows) {
    return new Answer(schema, rows, null, null, null);
  }

  public static Answer failed(String condition, String sqlState, String message) {
    return new Answer(null, null, condition, sqlState, message);
  }

  /** The call that a statement of ours means. */
  static Optional<String> rewritten(String sql) {
    if (!OURS.matcher(sql).lookingAt()) {
      return Optional.empty();
    }
    String text = HexFormat.of().formatHex(sql.getBytes(StandardCharsets.UTF_8)); // no setting of the session reads it otherwise
    return Optional.of("CALL " + CATALOG + ".system." + NAME + "(X'" + text + "')");
  }

  @Override
  public void initialize(String name, CaseInsensitiveStringMap options) {
    // there is nothing to set
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return "a statement of Unity Catalog";
  }

  @Override
  public Identifier[] listProcedures(String[] namespace) {
    return new Identifier[0];
  }

  @Override
  public UnboundProcedure loadProcedure(Identifier identifier) {
    return this;
  }

  @Override
  public BoundProcedure bind(StructType arguments) {
    return this;
  }

  @Override
  public ProcedureParameter[] parameters() {
    return new ProcedureParameter[] {
      ProcedureParameter.in("statement", DataTypes.BinaryType).build()
    };
  }

  @Override
  public boolean isDeterministic() {
    return false;
  }

  @Override
  public Iterator<Scan> call(InternalRow arguments) {
    CatalogManager place = SparkSession.active().sessionState().catalogManager();
    String[] namespace = place.currentNamespace();
    Answer answer =
        asker.ask(
            new String(arguments.getBinary(0), StandardCharsets.UTF_8),
            place.currentCatalog().name(),
            namespace.length == 0 ? "default" : namespace[0]);
    if (answer.condition() != null) {
      throw PlatformStatements.<RuntimeException>unchecked(
          Errors.of(answer.condition(), answer.sqlState(), answer.message()));
    }
    return answer.schema().isEmpty() ? List.<Scan>of().iterator() : List.of(scan(answer)).iterator();
  }

  private static Scan scan(Answer answer) {
    StructType schema = StructType.fromDDL(answer.schema());
    InternalRow[] rows =
        answer.rows().stream().map(PlatformStatements::row).toArray(InternalRow[]::new);
    return new LocalScan() {
      @Override
      public InternalRow[] rows() {
        return rows;
      }

      @Override
      public StructType readSchema() {
        return schema;
      }
    };
  }

  private static InternalRow row(List<Object> values) {
    return new GenericInternalRow(
        values.stream()
            .map(
                each ->
                    each instanceof Number number
                        ? (Object) number.longValue()
                        : UTF8String.fromString((String) each))
            .toArray());
  }

  @SuppressWarnings("unchecked")
  private static <T extends Throwable> T unchecked(Throwable error) throws T {
    throw (T) error; // Spark has no checked exceptions
  }
}
