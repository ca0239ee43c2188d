package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** One text file, one document. */
record TextFragment(String path, String name, long bytes) implements Fragment {
  private static final long LIMIT = 1L << 30;

  @Override
  public void read(Sink sink) {
    if (bytes > LIMIT) {
      throw new DataException(
          path + ": expected a document of at most 1 GiB, found " + bytes + " bytes; split it");
    }
    byte[] text;
    try {
      text = Files.readAllBytes(Path.of(path));
    } catch (IOException e) {
      throw new DataException(path + ": cannot be read: " + e, e);
    }
    if (text.length == 0) {
      throw new DataException(path + ": byte 0: expected text, found an empty file");
    }
    Utf8.check(text, path, 0);
    sink.document(name, text);
  }
}
