package harness;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.spark.sql.connector.catalog.Identifier;

/**
 * What a schema's folder says besides its tables' own logs: {@code .about.json} about the schema (unity/about.py), and a JSON file for every
 * view, function and external table in {@code .views}, {@code .functions} and {@code .external}. Whoever reads the folder sees what Spark sees.
 */
final class Records {
  static final String VIEWS = ".views";
  static final String FUNCTIONS = ".functions";
  static final String EXTERNAL = ".external";

  private static final String SCHEMA = ".about.json";
  private static final String SUFFIX = ".json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Folders folders;

  Records(Folders folders) {
    this.folders = folders;
  }

  Optional<Map<String, Object>> find(String kind, Identifier name) {
    return read(file(kind, name));
  }

  boolean exists(String kind, Identifier name) {
    return Files.isRegularFile(file(kind, name));
  }

  void put(String kind, Identifier name, Map<String, Object> record) {
    write(file(kind, name), record);
  }

  boolean remove(String kind, Identifier name) {
    try {
      return Files.deleteIfExists(file(kind, name));
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Call it otherwise; the file stays the same one, by which its tags and grants go (unity/records.py). */
  void move(String kind, Identifier from, Identifier to) {
    try {
      Files.createDirectories(file(kind, to).getParent());
      Files.move(file(kind, from), file(kind, to), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  Identifier[] list(String kind, String[] namespace) {
    try (Stream<Path> files = Files.list(folders.of(namespace).resolve(kind))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(file -> file.endsWith(SUFFIX))
          .sorted()
          .map(file -> Identifier.of(namespace, file.substring(0, file.length() - SUFFIX.length())))
          .toArray(Identifier[]::new);
    } catch (NoSuchFileException none) {
      return new Identifier[0];
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  Map<String, Object> ofSchema(String[] namespace) {
    return read(folders.of(namespace).resolve(SCHEMA)).orElse(Map.of());
  }

  static void putSchema(Path folder, Map<String, Object> record) {
    write(folder.resolve(SCHEMA), record);
  }

  private Path file(String kind, Identifier name) {
    return folders.of(name.namespace()).resolve(kind).resolve(Folders.checked(name.name()) + SUFFIX);
  }

  @SuppressWarnings("unchecked")
  private static Optional<Map<String, Object>> read(Path file) {
    try {
      return Optional.of(JSON.readValue(Files.readAllBytes(file), Map.class));
    } catch (NoSuchFileException none) {
      return Optional.empty();
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private static void write(Path file, Map<String, Object> record) {
    try {
      Files.createDirectories(file.getParent());
      Path half = Files.createTempFile(file.getParent(), ".new-", "");
      Files.write(half, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(record));
      Files.move(half, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }
}
