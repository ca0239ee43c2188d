package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/** The source files of one sources jar in the order of their names, licence headers removed. */
record JarFragment(String path, String project, long bytes) implements Fragment {
  private static final List<String> SUFFIXES = List.of(".java", ".scala", ".kt", ".groovy");

  /** Larger files are tables that a generator wrote: no prose to learn. */
  private static final int FILE_LIMIT = 1 << 20;

  @Override
  public void read(Sink sink) {
    try (ZipFile jar = new ZipFile(Path.of(path).toFile())) {
      List<String> names = new ArrayList<>();
      for (Enumeration<? extends ZipEntry> e = jar.entries(); e.hasMoreElements(); ) {
        ZipEntry entry = e.nextElement();
        if (SUFFIXES.stream().anyMatch(entry.getName()::endsWith)) {
          names.add(entry.getName());
        }
      }
      Collections.sort(names);
      for (String name : names) {
        byte[] source = jar.getInputStream(jar.getEntry(name)).readNBytes(FILE_LIMIT + 1);
        if (source.length <= FILE_LIMIT) {
          document(sink, name, source);
        }
      }
    } catch (IOException e) {
      throw new DataException(path + ": not a jar: " + e, e);
    }
  }

  private void document(Sink sink, String name, byte[] source) {
    try {
      Utf8.check(source, path + "!" + name, 0);
    } catch (DataException e) {
      // Old projects ship a few Latin-1 sources; the pinned jars cannot be mended, only skipped.
      return;
    }
    byte[] text = LicenceHeader.remove(source);
    if (text.length > 0) {
      sink.document(project + "/" + name, text);
    }
  }
}
