package harness;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.delta.DeltaLog;
import org.apache.spark.sql.delta.DeltaOperations;
import org.apache.spark.sql.delta.DomainMetadataUtils;
import org.apache.spark.sql.delta.OptimisticTransaction;
import org.apache.spark.sql.delta.Snapshot;
import org.apache.spark.sql.delta.actions.Action;
import org.apache.spark.sql.delta.actions.AddFile;
import org.apache.spark.sql.delta.actions.DeletionVectorDescriptor;
import org.apache.spark.sql.delta.actions.Metadata;
import org.apache.spark.sql.delta.catalog.DeltaTableV2;
import org.apache.spark.sql.delta.util.DeltaFileOperations;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Makes a table a clone of another's version, in one commit: a deep one with files of its own, a shallow one with those of the other. A
 * clone over an earlier one leaves the files that both have where they are.
 */
final class CloneTable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final SparkSession session;
  private final DeltaTableV2 source;
  private final Path target;
  private final boolean isDeep;
  private final Map<String, String> properties;
  private final Configuration hadoop;

  private long removed;
  private long removedSize;
  private long copied;
  private long copiedSize;

  CloneTable(SparkSession session, DeltaTableV2 source, Path target, boolean isDeep, Map<String, String> properties) {
    this.session = session;
    this.source = source;
    this.target = target;
    this.isDeep = isDeep;
    this.properties = properties;
    this.hadoop = session.sessionState().newHadoopConf();
  }

  PlatformStatements.Answer run() {
    Snapshot from = source.initialSnapshot();
    DeltaLog log = DeltaLog.forTable(session, target);
    OptimisticTransaction transaction = log.startTransaction();
    boolean isNew = transaction.readVersion() < 0;
    if (isNew) {
      log.createLogDirectoriesIfNotExists();
    }
    transaction.updateMetadata(metadata(from, transaction, isNew), true);
    List<Action> actions = files(from, isNew ? Map.of() : files(transaction.snapshot()));
    actions.addAll(CollectionConverters.asJava(DomainMetadataUtils.handleDomainMetadataForCloneTable(from, transaction.snapshot())));
    var protocol = transaction.protocol().merge(Seq.from(CollectionConverters.asScala(List.of(from.protocol()))));
    transaction.commitLarge(
        session,
        CollectionConverters.asScala(actions.iterator()),
        Option.apply(protocol),
        new DeltaOperations.Clone(source.name(), from.version()),
        scala(Map.of()),
        scala(metrics(from)));
    return PlatformStatements.rows(
        "source_table_size BIGINT, source_num_of_files BIGINT, num_removed_files BIGINT, num_copied_files BIGINT,"
            + " removed_files_size BIGINT, copied_files_size BIGINT",
        List.of(List.of(from.sizeInBytes(), from.numOfFiles(), removed, copied, removedSize, copiedSize)));
  }

  private Metadata metadata(Snapshot from, OptimisticTransaction transaction, boolean isNew) {
    Metadata before = from.metadata();
    Map<String, String> configuration = new HashMap<>(CollectionConverters.asJava(before.configuration()));
    configuration.putAll(properties);
    String id = isNew ? UUID.randomUUID().toString() : transaction.snapshot().metadata().id();
    return new Metadata(
        id, before.name(), before.description(), before.format(), before.schemaString(), before.partitionColumns(), scala(configuration),
        Option.apply(System.currentTimeMillis()));
  }

  /** Return what makes the files of the target those of the source, and copy those that it lacks. */
  private List<Action> files(Snapshot from, Map<String, AddFile> before) {
    List<Action> actions = new ArrayList<>();
    Map<String, AddFile> gone = new HashMap<>(before);
    var wanted = isDeep ? from.allFiles() : DeltaFileOperations.makePathsAbsolute(source.path().toString(), from.allFiles());
    for (AddFile file : wanted.collectAsList()) {
      AddFile kept = isDeep ? own(file) : file;
      if (before.containsKey(key(kept))) {
        gone.remove(key(kept));
        continue;
      }
      if (isDeep) {
        copy(file, kept);
      }
      actions.add(kept);
    }
    for (AddFile file : gone.values()) {
      removed++;
      removedSize += file.size();
      actions.add(file.remove());
    }
    return actions;
  }

  private static Map<String, AddFile> files(Snapshot snapshot) {
    Map<String, AddFile> files = new HashMap<>();
    for (AddFile file : snapshot.allFiles().collectAsList()) {
      files.put(key(file), file);
    }
    return files;
  }

  private static String key(AddFile file) {
    DeletionVectorDescriptor deleted = file.deletionVector();
    return file.path() + (deleted == null ? "" : " without " + deleted.storageType() + deleted.pathOrInlineDv());
  }

  /** Return a file's entry as that of one of the target's own: one that a shallow clone borrows has an address, and becomes a name. */
  private AddFile own(AddFile file) {
    try {
      ObjectNode entry = (ObjectNode) JSON.readTree(file.json());
      ObjectNode add = (ObjectNode) entry.get("add");
      add.put("dataChange", true);
      add.remove(List.of("baseRowId", "defaultRowCommitVersion"));
      if (file.toPath().isAbsolute()) {
        add.put("path", new Path(file.toPath().getName()).toUri().toString());
      }
      return (AddFile) Action.fromJson(JSON.writeValueAsString(entry));
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private void copy(AddFile file, AddFile kept) {
    copied++;
    copiedSize += file.size();
    copy(new Path(source.path(), file.toPath()), new Path(target, kept.toPath()));
    DeletionVectorDescriptor deleted = file.deletionVector();
    if (deleted != null && deleted.storageType().equals("u")) { // a file of its own, named by what the entry says
      copy(deleted.absolutePath(source.path()), deleted.absolutePath(target));
    } else if (deleted != null && deleted.storageType().equals("p")) {
      throw new UnsupportedOperationException(
          source.name() + ": a deep clone of a shallow clone from which rows were deleted is not emulated; OPTIMIZE it first");
    }
  }

  private void copy(Path from, Path to) {
    try {
      FileUtil.copy(from.getFileSystem(hadoop), from, to.getFileSystem(hadoop), to, false, true, hadoop);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private Map<String, String> metrics(Snapshot from) {
    return Map.of(
        "sourceTableSize", Long.toString(from.sizeInBytes()),
        "sourceNumOfFiles", Long.toString(from.numOfFiles()),
        "numRemovedFiles", Long.toString(removed),
        "numCopiedFiles", Long.toString(copied),
        "removedFilesSize", Long.toString(removedSize),
        "copiedFilesSize", Long.toString(copiedSize));
  }

  private static scala.collection.immutable.Map<String, String> scala(Map<String, String> map) {
    return scala.collection.immutable.Map.from(CollectionConverters.asScala(map));
  }
}
