package harness;

import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.delta.DeltaLog;

/** Delta's own memory of what the logs of tables say; it must not outlive a table. */
final class Logs {
  private static final Map<String, Object> SEEN = new ConcurrentHashMap<>();

  private Logs() {}

  /** Forget a table when it is another than when it was last looked at: others may have dropped it and made one in its place. */
  static void meet(Folders folders, Identifier table) {
    String location = folders.location(folders.of(table));
    Object now = folders.identity(table);
    Object before = SEEN.put(location, now);
    if (before != null && !before.equals(now)) {
      DeltaLog.invalidateCache(SparkSession.active(), new Path(location));
    }
  }

  /** Forget the tables of a catalog that goes. */
  static void forget(SparkSession session, String catalog) {
    String within = MountedFiles.WAREHOUSE_SCHEME + ":/" + catalog + "/";
    for (String location : List.copyOf(SEEN.keySet())) {
      if (location.startsWith(within)) {
        SEEN.remove(location);
        DeltaLog.invalidateCache(session, new Path(location));
      }
    }
  }

  /** Forget a table that goes, or comes. */
  static void forget(Folders folders, Identifier table) {
    String location = folders.location(folders.of(table));
    SEEN.remove(location);
    DeltaLog.invalidateCache(SparkSession.active(), new Path(location));
  }
}
