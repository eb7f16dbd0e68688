package harness;

import java.io.File;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.SparkSession;

/** Every folder of the warehouse is a catalog, in every session, from the moment it is made until it is removed. */
public final class Catalogs {
  private static final String PREFIX = "spark.sql.catalog.";
  private static final String WAREHOUSE = "spark.harness.warehouse";
  private static final Map<SparkSession, Set<String>> MET =
      Collections.synchronizedMap(new WeakHashMap<>());

  private Catalogs() {}

  /** Tell the session of catalogs it does not know yet, and of those that are gone: one listing of a small folder per statement. */
  static void meet(SparkSession session) {
    String warehouse = session.conf().get(WAREHOUSE);
    String[] names = new File(warehouse).list();
    if (names == null) {
      return; // no warehouse yet
    }
    Set<String> met = MET.computeIfAbsent(session, one -> new HashSet<>());
    synchronized (met) { // statements of one session may run side by side
      for (String name : names) {
        String key = PREFIX + name;
        if (isCatalog(warehouse, name) && session.conf().getOption(key).isEmpty()) {
          session.conf().set(key + ".root", warehouse);
          session.conf().set(key, InformationCatalog.class.getName());
          met.add(name);
        }
      }
      for (String name : List.copyOf(met)) {
        if (!isCatalog(warehouse, name)) {
          session.conf().unset(PREFIX + name);
          session.conf().unset(PREFIX + name + ".root");
          met.remove(name);
        }
      }
    }
  }

  static boolean isThere(String name) {
    return isCatalog(SparkEnv.get().conf().get(WAREHOUSE), name);
  }

  /** Let go of what is remembered of the tables of a catalog that is about to be removed. */
  public static void forget(org.apache.spark.sql.classic.SparkSession session, String name) {
    Logs.forget(session, name);
  }

  private static boolean isCatalog(String warehouse, String name) {
    return !name.startsWith(".") && !name.equals(PlatformStatements.CATALOG) && new File(warehouse, name).isDirectory();
  }
}
