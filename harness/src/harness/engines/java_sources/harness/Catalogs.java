package harness;

import java.io.File;
import org.apache.spark.sql.SparkSession;

/** Every folder of the warehouse is a catalog, in every session, from the moment it is made. */
final class Catalogs {
  private static final String PREFIX = "spark.sql.catalog.";

  private Catalogs() {}

  /** Tell the session of the catalogs it does not know yet: one listing of a small folder per statement. */
  static void meet(SparkSession session) {
    String warehouse = session.conf().get("spark.harness.warehouse");
    String[] names = new File(warehouse).list();
    if (names == null) {
      return; // no warehouse yet
    }
    for (String name : names) {
      String key = PREFIX + name;
      if (isCatalog(warehouse, name) && session.conf().getOption(key).isEmpty()) {
        session.conf().set(key + ".root", warehouse);
        session.conf().set(key, InformationCatalog.class.getName());
      }
    }
  }

  private static boolean isCatalog(String warehouse, String name) {
    return !name.startsWith(".") && !name.startsWith("_") && new File(warehouse, name).isDirectory();
  }
}
