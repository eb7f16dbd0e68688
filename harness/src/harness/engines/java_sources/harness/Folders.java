package harness;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.catalog.Identifier;

/** The folder tree of one catalog: schemas are folders, tables are folders in them with a Delta log. */
final class Folders {
  /** What Unity Catalog refuses in a name, and with it everything that could leave the tree. */
  private static final Pattern REFUSED = Pattern.compile("[./\\\\\\s\\p{Cntrl}]");

  private final String catalog;
  private final Path root;

  Folders(String catalog, Path root) {
    this.catalog = catalog;
    this.root = root.toAbsolutePath();
  }

  /** Return the name as folders write it (lower case), or refuse it. */
  static String checked(String name) {
    if (name.isEmpty() || REFUSED.matcher(name).find()) {
      throw new IllegalArgumentException(
          "name '" + name + "': expected no period, space, slash or control character");
    }
    return name.toLowerCase(Locale.ROOT);
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

  boolean isTable(Identifier table) {
    return isTable(of(table));
  }

  String[] schemas() {
    return children(root, Files::isDirectory);
  }

  String[] tables(String[] namespace) {
    return children(of(namespace), Folders::isTable);
  }

  void make(Path folder) {
    try {
      Files.createDirectories(folder);
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

  /** Remove a folder with all it holds; a file that another has removed meanwhile is fine. */
  void remove(Path folder) {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> walk = Files.walk(folder)) {
      List<Path> deepestFirst = walk.sorted(Comparator.reverseOrder()).toList();
      for (Path path : deepestFirst) {
        Files.deleteIfExists(path);
      }
    } catch (IOException error) {
      throw new UncheckedIOException("catalog " + catalog + ": cannot remove " + folder, error);
    }
  }

  private static boolean isTable(Path folder) {
    return Files.isDirectory(folder.resolve("_delta_log"));
  }

  private static String[] children(Path folder, Predicate<Path> wanted) {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries
          .filter(wanted)
          .map(entry -> entry.getFileName().toString())
          .filter(entry -> !entry.startsWith("_") && !entry.startsWith("."))
          .sorted()
          .toArray(String[]::new);
    } catch (NoSuchFileException none) {
      return new String[0];
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
