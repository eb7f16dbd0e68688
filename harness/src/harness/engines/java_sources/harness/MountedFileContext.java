package harness;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/** {@link MountedFiles} for whoever asks Hadoop for a {@code FileContext}, as Delta does to commit. */
public final class MountedFileContext extends DelegateToFileSystem {
  public MountedFileContext(URI uri, Configuration configuration) throws IOException, URISyntaxException {
    super(uri, new MountedFiles(), configuration, uri.getScheme(), false);
  }

  @Override
  public boolean isValidName(String name) {
    return true; // local files take any
  }
}
