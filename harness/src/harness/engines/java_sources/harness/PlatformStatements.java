package harness;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
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
 * Statements that Unity Catalog knows and Spark does not: {@link Rewriting} makes each a {@code CALL} of the one procedure of this
 * catalog, which Spark carries out at once and once, and the harness answers (harness/platform_sql).
 */
public final class PlatformStatements implements ProcedureCatalog, UnboundProcedure, BoundProcedure {
  /** No user's catalog can have this name: harness/names.py reserves it. */
  static final String CATALOG = "__harness";

  static final String NAME = "platform_statement";

  private static volatile Asker asker;

  /** What the harness answers: rows of texts and numbers by the schema's DDL, or why there are none. */
  public record Answer(
      String schema, List<List<Object>> rows, String condition, String sqlState, String message) {}

  /** The Python side. */
  public interface Asker {
    /** The values are what stands in the statement as `?0`, `?1` and so on; they may be null. */
    Answer ask(String statement, List<String> values, String catalog, String schema);
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
    return identifier.name().equals(NAME) ? this : new EngineStatements(identifier.name());
  }

  @Override
  public BoundProcedure bind(StructType arguments) {
    return this;
  }

  @Override
  public ProcedureParameter[] parameters() {
    return new ProcedureParameter[] {
      ProcedureParameter.in("statement", DataTypes.BinaryType).build(),
      ProcedureParameter.in("values", DataTypes.createArrayType(DataTypes.StringType)).build()
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
            values(arguments.getArray(1)),
            place.currentCatalog().name(),
            namespace.length == 0 ? "default" : namespace[0]);
    if (answer.condition() != null) {
      throw PlatformStatements.<RuntimeException>unchecked(
          Errors.of(answer.condition(), answer.sqlState(), answer.message()));
    }
    Catalogs.meet(SparkSession.active()); // the next statement of a script may name one that this made
    return scans(answer);
  }

  static Iterator<Scan> scans(Answer answer) {
    return answer.schema().isEmpty() ? List.<Scan>of().iterator() : List.of(scan(answer)).iterator();
  }

  private static List<String> values(ArrayData given) {
    return IntStream.range(0, given.numElements())
        .mapToObj(at -> given.isNullAt(at) ? null : given.getUTF8String(at).toString())
        .collect(Collectors.toCollection(ArrayList::new));
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
