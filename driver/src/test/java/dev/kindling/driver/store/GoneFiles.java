package dev.kindling.driver.store;

import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.URI;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;

/** {@code gone:/...} is local files that are listed, unless hidden, and cannot be opened. */
public final class GoneFiles extends RawLocalFileSystem {
  @Override
  public String getScheme() {
    return "gone";
  }

  @Override
  public URI getUri() {
    return URI.create("gone:///");
  }

  @Override
  public boolean exists(Path file) throws IOException {
    if (file.getName().startsWith("hidden")) {
      throw new ConnectException("refused");
    }
    return super.exists(file);
  }

  @Override
  public FSDataInputStream open(Path file, int buffer) throws IOException {
    throw new SocketTimeoutException("no answer");
  }
}
