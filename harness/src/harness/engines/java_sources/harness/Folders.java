package harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.catalog.Identifier;

/** The folder tree of one catalog: schemas are folders, tables are folders in them with a Delta log. */
final class Folders {
  /** What Unity Catalog refuses in a name, and with it everything that could leave the tree. */
  private static final Pattern REFUSED = Pattern.compile("[./\\\\`\\s\\p{Cntrl}]");

  private static final String NEW = ".new-";
  private static final String REMOVED = ".removed-";

  private final String catalog; // as folders write it
  private final Path root;

  Folders(String catalog, Path root) {
    this.catalog = catalog;
    this.root = root.toAbsolutePath();
  }

  /** Return the name as folders write it (lower case), or refuse it. */
  static String checked(String name) {
    if (!isName(name)) {
      throw new IllegalArgumentException(
          "name '" + name + "': expected no period, space, slash or control character");
    }
    return name.toLowerCase(Locale.ROOT);
  }

  static boolean isName(String name) {
    return !name.isEmpty() && !REFUSED.matcher(name).find();
  }

  Path of(String[] namespace) {
    return root.resolve(checked(namespace[0]));
  }

  Path of(Identifier table) {
    return of(table.namespace()).resolve(checked(table.name()));
  }

  boolean isSchema(String[] namespace) {
    return Files.isDirectory(of(namespace));
  }

  /** Where every catalog lies. */
  Path root() {
    return root.getParent();
  }

  /** Where the files of a managed table or schema lie, as users are told. Assumption: the platform tells an address of its cloud. */
  String location(Path folder) {
    return MountedFiles.WAREHOUSE_SCHEME + ":/" + catalog + "/" + root.relativize(folder);
  }

  boolean isTable(Identifier table) {
    return isTable(of(table));
  }

  /** Return what differs between a table and another that is made in its place. */
  Object identity(Identifier table) {
    try {
      BasicFileAttributes log =
          Files.readAttributes(of(table).resolve("_delta_log"), BasicFileAttributes.class);
      return List.of(log.fileKey(), log.creationTime());
    } catch (IOException gone) {
      return List.of();
    }
  }

  String[] schemas() {
    return children(root, Files::isDirectory);
  }

  String[] tables(String[] namespace) {
    return children(of(namespace), Folders::isTable);
  }

  boolean holdsAnything(String[] namespace) {
    return children(of(namespace), Files::isDirectory).length > 0;
  }

  /** Make a folder with what {@code fill} puts into it, all in one step; unity/folders.py does the same. */
  void make(Path folder, Consumer<Path> fill) {
    try {
      Files.createDirectories(folder.getParent());
      Path aside = Files.createTempDirectory(folder.getParent(), NEW);
      fill.accept(aside);
      Files.setPosixFilePermissions(aside, PosixFilePermissions.fromString("rwxr-xr-x"));
      Files.move(aside, folder);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  void move(Path from, Path to) {
    try {
      Files.move(from, to);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Remove a folder: first out of sight in one step, so that nobody meets a half-removed one; unity/folders.py does the same. */
  void remove(Path folder) {
    Path aside;
    try {
      aside = Files.createTempDirectory(folder.getParent(), REMOVED);
      Files.move(folder, aside.resolve(folder.getFileName()));
    } catch (NoSuchFileException gone) {
      return;
    } catch (IOException error) {
      throw new UncheckedIOException("catalog " + catalog + ": cannot remove " + folder, error);
    }
    try (Stream<Path> walk = Files.walk(aside)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) { // deepest first
        Files.deleteIfExists(path);
      }
    } catch (IOException error) {
      throw new UncheckedIOException("catalog " + catalog + ": cannot remove " + folder, error);
    }
  }

  /** Whether there is a Delta log with a commit. */
  private static boolean isTable(Path folder) {
    try (Stream<Path> log = Files.list(folder.resolve("_delta_log"))) {
      return log.map(Path::toString).anyMatch(entry -> entry.endsWith(".json") || entry.endsWith(".parquet"));
    } catch (IOException none) {
      return false;
    }
  }

  private static String[] children(Path folder, Predicate<Path> wanted) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(wanted)
          .map(entry -> entry.getFileName().toString())
          .filter(entry -> !entry.startsWith(".")) // the harness's own
          .sorted()
          .toArray(String[]::new);
    } catch (NoSuchFileException none) {
      return new String[0];
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
