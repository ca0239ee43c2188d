package dev.kindling.driver.store;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * The local disk as a Hadoop file system of its own scheme, in whatever JVM opens it. Each call,
 * and each write and close of a stream, takes as long as the file {@value #DELAY} says, and none
 * begins as long as the file {@value #HANG} is there; both lie in the folder {@value #CONTROL}
 * names.
 */
public final class TroubledFiles extends RawLocalFileSystem {
  static final String SCHEME = "troubled";
  static final String CONTROL = "fs.troubled.control";
  static final String DELAY = "delay-millis";
  static final String HANG = "hang";

  private static final long POLL_MILLIS = 20;

  private java.nio.file.Path control = java.nio.file.Path.of("");

  @Override
  public void initialize(URI name, Configuration settings) throws IOException {
    super.initialize(name, settings);
    control = java.nio.file.Path.of(settings.get(CONTROL));
  }

  @Override
  public String getScheme() {
    return SCHEME;
  }

  @Override
  public URI getUri() {
    return URI.create(SCHEME + ":///");
  }

  private void suffer() throws IOException {
    try {
      java.nio.file.Path delay = control.resolve(DELAY);
      if (Files.exists(delay)) {
        TimeUnit.MILLISECONDS.sleep(Long.parseLong(Files.readString(delay)));
      }
      while (Files.exists(control.resolve(HANG))) {
        TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IOException(stopped);
    }
  }

  @Override
  public FSDataInputStream open(Path path, int buffer) throws IOException {
    suffer();
    return super.open(path, buffer);
  }

  @Override
  public FSDataOutputStream create(
      Path path,
      FsPermission permission,
      boolean overwrite,
      int buffer,
      short replication,
      long block,
      Progressable progress)
      throws IOException {
    suffer();
    OutputStream out =
        super.create(path, permission, overwrite, buffer, replication, block, progress);
    return new FSDataOutputStream(
        new FilterOutputStream(out) {
          @Override
          public void write(byte[] bytes, int offset, int length) throws IOException {
            suffer();
            this.out.write(bytes, offset, length);
          }

          @Override
          public void close() throws IOException {
            suffer();
            super.close();
          }
        },
        null);
  }

  @Override
  public boolean rename(Path from, Path to) throws IOException {
    suffer();
    return super.rename(from, to);
  }

  @Override
  public boolean delete(Path path, boolean recursive) throws IOException {
    suffer();
    return super.delete(path, recursive);
  }

  @Override
  public boolean mkdirs(Path path) throws IOException {
    suffer();
    return super.mkdirs(path);
  }

  @Override
  public boolean mkdirs(Path path, FsPermission permission) throws IOException {
    suffer();
    return super.mkdirs(path, permission);
  }

  @Override
  public FileStatus[] listStatus(Path path) throws IOException {
    suffer();
    return super.listStatus(path);
  }

  @Override
  public FileStatus getFileStatus(Path path) throws IOException {
    suffer();
    return super.getFileStatus(path);
  }
}
