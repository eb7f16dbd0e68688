package harness;

import org.apache.hadoop.fs.LocalFileSystem;

/** {@link MountedFiles} for whoever asks Hadoop for a {@code FileSystem}; no checksum files lie beside what it writes. */
public final class MountedFileSystem extends LocalFileSystem {
  public MountedFileSystem() {
    super(new MountedFiles());
    setWriteChecksum(false);
    setVerifyChecksum(false);
  }
}
