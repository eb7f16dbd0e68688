package harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.classic.DataFrameReader;
import org.apache.spark.sql.classic.Dataset;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.delta.DeltaOperations;
import org.apache.spark.sql.delta.DeltaOptions;
import org.apache.spark.sql.delta.OptimisticTransaction;
import org.apache.spark.sql.delta.actions.Action;
import org.apache.spark.sql.delta.actions.AddFile;
import org.apache.spark.sql.delta.actions.SetTransaction;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.delta.commands.WriteIntoDelta;
import org.apache.spark.sql.execution.SparkSqlParser;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Carries out {@code COPY INTO}. Which files are loaded the table's own log remembers, in the commit that loads them: each is an
 * application's transaction there, so that nothing is loaded twice, by whomever and whenever.
 */
final class CopyInto {
  private static final String LOADED = "copy-into:";
  private static final String LENIENT = "ignoreCorruptFiles";

  private final SparkSession session;
  private final CopyStatement statement;
  private final DeltaTableV2 table;

  CopyInto(SparkSession session, CopyStatement statement, DeltaTableV2 table) {
    this.session = session;
    this.statement = statement;
    this.table = table;
  }

  PlatformStatements.Answer run() {
    OptimisticTransaction transaction = table.startTransaction(Option.empty());
    List<String> fresh = new ArrayList<>();
    for (String file : files()) {
      boolean isLoaded = transaction.txnVersion(LOADED + file) >= 0; // asked also to notice another that loads it now
      if (!isLoaded || statement.force()) {
        fresh.add(file);
      }
    }
    List<String> corrupt = statement.isRead(LENIENT) ? fresh.stream().filter(this::isCorrupt).toList() : List.of();
    long rows = fresh.isEmpty() ? 0 : load(transaction, fresh, corrupt);
    return PlatformStatements.rows(
        "num_affected_rows BIGINT, num_inserted_rows BIGINT, num_skipped_corrupt_files BIGINT", List.of(List.of(rows, rows, (long) corrupt.size())));
  }

  private long load(OptimisticTransaction transaction, List<String> files, List<String> corrupt) {
    DeltaOptions options =
        new DeltaOptions(scala(Map.of("mergeSchema", Boolean.toString(statement.mergeSchema()))), session.sessionState().conf());
    WriteIntoDelta write =
        new WriteIntoDelta(
            table.deltaLog(), SaveMode.Append, options, Seq.from(CollectionConverters.asScala(List.<String>of())), scala(Map.of()),
            fitted(chosen(read(files, corrupt))), table.catalogTable(), Option.empty(), false);
    List<Action> actions =
        new ArrayList<>(CollectionConverters.asJava(write.write(transaction, session, Option.empty(), false)));
    long rows = 0;
    for (Action action : actions) {
      rows += action instanceof AddFile file && file.numLogicalRecords().isDefined() ? (long) file.numLogicalRecords().get() : 0;
    }
    long now = System.currentTimeMillis();
    for (String file : files) {
      actions.add(new SetTransaction(LOADED + file, transaction.txnVersion(LOADED + file) + 1, Option.apply(now)));
    }
    transaction.commit(Seq.from(CollectionConverters.asScala(actions)), new Copied(statement));
    return rows;
  }

  private DataFrameReader reader() {
    return session.read().format(statement.format()).options(statement.formatOptions());
  }

  /** Return the rows of files, of which the corrupt ones do not say what columns there are. */
  private Dataset<Row> read(List<String> files, List<String> corrupt) {
    List<String> whole = files.stream().filter(file -> !corrupt.contains(file)).toList();
    DataFrameReader reader = reader();
    if (!corrupt.isEmpty() && !whole.isEmpty()) {
      reader = reader.schema(reader().load(whole.toArray(String[]::new)).schema());
    }
    return (Dataset<Row>) reader.load(files.toArray(String[]::new));
  }

  /** Whether a file cannot be read to its end: Spark does not say which it has passed over, so each is read once more. */
  private boolean isCorrupt(String file) {
    try {
      reader().option(LENIENT, "false").load(file).write().format("noop").mode(SaveMode.Overwrite).save();
      return false;
    } catch (Exception error) { // Scala throws checked ones that it does not declare
      return true;
    }
  }

  private Dataset<Row> chosen(Dataset<Row> frame) {
    Dataset<Row> chosen = frame;
    if (statement.select() != null) {
      Project wanted = (Project) new SparkSqlParser().parsePlan("SELECT " + statement.select() + " FROM source");
      chosen = Dataset.ofRows(session, new Project(wanted.projectList(), frame.logicalPlan()));
    }
    return statement.positions() == null ? chosen : named(chosen, statement.positions());
  }

  /** Return the rows with the names of the table's columns, by their places. Assumption: the messages' wording. */
  private Dataset<Row> named(Dataset<Row> frame, CopyStatement.Positions positions) {
    if (!statement.format().equals("csv") || statement.isRead("header")) {
      String setting = statement.format().equals("csv") ? "header" : "FILEFORMAT = " + statement.format().toUpperCase(Locale.ROOT);
      throw Errors.unchecked(
          Errors.of(
              "COPY_INTO_FEATURE_INCOMPATIBLE_SETTING", "42613",
              "The COPY INTO feature 'matching columns by position' is not compatible with '" + setting + "'."));
    }
    List<String> writable = Arrays.stream(table.initialSnapshot().schema().fields()).filter(CopyInto::isWritable).map(StructField::name).toList();
    List<String> names = positions.isAll() ? writable : positions.columns();
    for (String name : names) {
      if (writable.stream().noneMatch(name::equalsIgnoreCase)) {
        throw Errors.unchecked(
            Errors.of(
                "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703",
                "A column, variable, or function parameter with name `" + name + "` cannot be resolved. Did you mean one of the following? [`"
                    + String.join("`, `", writable) + "`]."));
      }
    }
    List<String> given = Arrays.asList(frame.columns());
    if (names.size() != given.size()) {
      String why = names.size() > given.size() ? "NOT_ENOUGH_DATA_COLUMNS" : "TOO_MANY_DATA_COLUMNS";
      throw Errors.unchecked(
          Errors.of(
              "COPY_INTO_COLUMN_ARITY_MISMATCH." + why, "21S01",
              "Cannot write to " + table.name() + ", the reason is " + (names.size() > given.size() ? "not enough" : "too many")
                  + " data columns:\nTable columns: " + String.join(", ", names) + ".\nData columns: " + String.join(", ", given) + "."));
    }
    return (Dataset<Row>) frame.toDF(names.toArray(String[]::new));
  }

  private static boolean isWritable(StructField field) {
    return !field.metadata().contains("delta.generationExpression") && !field.metadata().contains("delta.identity.start");
  }

  /** Return the rows with the types of the table's columns, as INSERT would. Assumption: COPY INTO does the same. */
  private Dataset<Row> fitted(Dataset<Row> frame) {
    StructType known = table.schema();
    Map<String, StructField> fields = new HashMap<>();
    Arrays.stream(known.fields()).forEach(field -> fields.put(field.name().toLowerCase(Locale.ROOT), field));
    List<String> others =
        Arrays.stream(frame.columns()).filter(name -> !fields.containsKey(name.toLowerCase(Locale.ROOT))).toList();
    if (!others.isEmpty() && !statement.mergeSchema()) {
      throw Errors.unchecked(
          Errors.of(
              "COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE", "42KDG",
              "A schema mismatch was detected while copying into the Delta table (Table: " + table.name() + ").\n"
                  + "This may indicate an issue with the incoming data, or the Delta table schema can be evolved automatically by setting:\n"
                  + "COPY_OPTIONS ('mergeSchema' = 'true')\nSchema difference:\nunknown columns: " + String.join(", ", others)));
    }
    Column[] columns =
        Arrays.stream(frame.schema().fields()).map(field -> fitted(frame, field, fields)).toArray(Column[]::new);
    return (Dataset<Row>) frame.select(columns);
  }

  private static Column fitted(Dataset<Row> frame, StructField field, Map<String, StructField> fields) {
    Column column = frame.col("`" + field.name().replace("`", "``") + "`");
    StructField wanted = fields.get(field.name().toLowerCase(Locale.ROOT));
    return wanted == null || wanted.dataType().equals(field.dataType()) ? column : column.cast(wanted.dataType()).as(wanted.name());
  }

  private Set<String> files() {
    try {
      Path source = new Path(statement.source());
      FileSystem system = source.getFileSystem(session.sessionState().newHadoopConf());
      FileStatus[] found = system.globStatus(source);
      if (found == null || found.length == 0) {
        throw Errors.unchecked(Errors.of("PATH_NOT_FOUND", "42K03", "Path does not exist: " + statement.source() + "."));
      }
      List<Path> files = new ArrayList<>();
      for (FileStatus each : found) {
        below(system, each, files);
      }
      PathMatcher wanted = matcher(found[0].isDirectory() ? found[0].getPath() : found[0].getPath().getParent());
      return files.stream()
          .filter(file -> wanted.matches(java.nio.file.Path.of(file.toUri().getPath())))
          .map(Path::toString)
          .collect(Collectors.toCollection(java.util.TreeSet::new));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static void below(FileSystem system, FileStatus status, List<Path> files) throws IOException {
    if (status.isFile()) {
      files.add(status.getPath());
      return;
    }
    for (FileStatus child : system.listStatus(status.getPath())) {
      String name = child.getPath().getName();
      if (!name.startsWith("_") && !name.startsWith(".")) { // as Spark reads folders
        below(system, child, files);
      }
    }
  }

  /** Which files of a folder are wanted: FILES are names in it, PATTERN is a glob in it. */
  private PathMatcher matcher(Path folder) {
    java.nio.file.Path root = java.nio.file.Path.of(folder.toUri().getPath());
    if (!statement.files().isEmpty()) {
      Set<java.nio.file.Path> named = statement.files().stream().map(root::resolve).collect(Collectors.toSet());
      return named::contains;
    }
    if (statement.pattern() == null) {
      return path -> true;
    }
    PathMatcher glob = FileSystems.getDefault().getPathMatcher("glob:" + statement.pattern());
    return path -> glob.matches(root.relativize(path));
  }

  private static scala.collection.immutable.Map<String, String> scala(Map<String, String> map) {
    return scala.collection.immutable.Map.from(CollectionConverters.asScala(map));
  }

  /** What a table's history says of it. */
  private static final class Copied extends DeltaOperations.Operation {
    private final CopyStatement statement;

    Copied(CopyStatement statement) {
      super("COPY INTO");
      this.statement = statement;
    }

    @Override
    public scala.collection.immutable.Map<String, Object> parameters() {
      Map<String, Object> told = Map.of("source", statement.source(), "format", statement.format());
      return scala.collection.immutable.Map.from(CollectionConverters.asScala(told));
    }

    @Override
    public scala.collection.immutable.Set<String> operationMetrics() {
      return org.apache.spark.sql.delta.DeltaOperationMetrics.WRITE();
    }

    @Override
    public boolean checkAddFileWithDeletionVectorStatsAreNotTightBounds() {
      return true;
    }

    @Override
    public Option<Object> isInPlaceFileMetadataUpdate() {
      return Option.apply(false);
    }

    @Override
    public boolean canChangePartitionColumns() {
      return false;
    }
  }
}
