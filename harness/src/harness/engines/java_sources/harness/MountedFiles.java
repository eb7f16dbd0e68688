package harness;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/**
 * This machine's files, where {@code /Volumes}, {@code /Workspace} and the root of {@code dbfs:} are folders of the harness, as plain
 * Python sees them in a task, and {@code unity:/catalog/schema/table} is where managed tables lie. Whoever lists or opens a path below
 * them is told that path, never where it lies.
 */
final class MountedFiles extends RawLocalFileSystem {
  /** The scheme of what is in the warehouse. */
  static final String WAREHOUSE_SCHEME = "unity";

  static final String FOLDER = "harness.files";
  private static final String WAREHOUSE = "harness.warehouse";
  private static final String[] MOUNTS = {"/Volumes", "/Workspace"};
  private static final String[] ON_DBFS = {"/databricks-datasets", "/FileStore"};

  private static final URI LOCAL = URI.create("file:///");

  private String folder;
  private String warehouse;
  private URI uri;

  @Override
  public void initialize(URI name, Configuration configuration) throws IOException {
    super.initialize(name, configuration);
    folder = configuration.get(FOLDER, "");
    warehouse = configuration.get(WAREHOUSE, "");
    uri = URI.create(name.getScheme() + ":///");
  }

  @Override
  public URI getUri() {
    return uri == null ? LOCAL : uri; // the constructor above ours asks already
  }

  @Override
  public File pathToFile(Path path) {
    File file = super.pathToFile(path);
    String mounted = mounted(file.getPath());
    if (mounted == null) {
      return file;
    }
    return new File((isWarehouse() ? warehouse : folder) + mounted);
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    FileStatus found = super.getFileStatus(path);
    if (mounted(super.pathToFile(path).getPath()) == null) {
      return found;
    }
    Path told = path.makeQualified(getUri(), getWorkingDirectory());
    return new FileStatus(
        found.getLen(), found.isDirectory(), found.getReplication(), found.getBlockSize(), found.getModificationTime(), told);
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    FileStatus itself = getFileStatus(path);
    return itself.isFile() ? new FileStatus[] {itself} : super.listStatus(path);
  }

  private boolean isWarehouse() {
    return WAREHOUSE_SCHEME.equals(getUri().getScheme());
  }

  /** Where in the harness's folder a path lies, null when it is this machine's own. */
  private String mounted(String path) {
    if (isWarehouse()) {
      return path;
    }
    for (String mount : MOUNTS) {
      if (isBelow(path, mount)) {
        return path;
      }
    }
    if ("dbfs".equals(getUri().getScheme())) {
      return "/dbfs" + path;
    }
    for (String root : ON_DBFS) {
      if (isBelow(path, root)) {
        return "/dbfs" + path;
      }
    }
    return isBelow(path, "/dbfs") ? path : null;
  }

  private static boolean isBelow(String path, String root) {
    return path.equals(root) || path.startsWith(root + "/");
  }
}
