package dev.kindling.worker.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Turns the paths of a configuration into fragments in an order that no file system decides. */
final class Inputs {
  static final long JSONL_RANGE_BYTES = 64L << 20;

  private final Map<Path, SplitName> seen = new HashMap<>();

  /** One file with the name it has in the manifest. */
  private record Found(Path file, String name, long bytes) {}

  List<Fragment> text(List<String> paths, SplitName split) {
    List<Fragment> fragments = new ArrayList<>();
    for (Found found : files(paths, split)) {
      fragments.add(new TextFragment(found.file.toString(), found.name, found.bytes));
    }
    return fragments;
  }

  List<Fragment> jsonl(
      List<String> paths, LineContent content, BadLines badLines, SplitName split) {
    List<Fragment> fragments = new ArrayList<>();
    for (Found found : files(paths, split)) {
      for (long start = 0; start < found.bytes; start += JSONL_RANGE_BYTES) {
        long end = Math.min(found.bytes, start + JSONL_RANGE_BYTES);
        fragments.add(
            new JsonlFragment(found.file.toString(), found.name, content, badLines, start, end));
      }
    }
    return fragments;
  }

  /** Files in the order of the list, each folder's in the order of their relative names. */
  private List<Found> files(List<String> paths, SplitName split) {
    List<Found> files = new ArrayList<>();
    for (String given : paths) {
      Path root = Path.of(given).toAbsolutePath().normalize();
      if (!Files.exists(root)) {
        throw new DataException(given + ": expected a file or folder, found nothing there");
      }
      int before = files.size();
      if (Files.isDirectory(root)) {
        files.addAll(walk(root, split));
      } else {
        add(files, root, String.valueOf(root.getFileName()), split);
      }
      if (files.size() == before) {
        throw new DataException(given + ": expected files, found none that was not named before");
      }
    }
    return files;
  }

  private List<Found> walk(Path root, SplitName split) {
    List<Found> files = new ArrayList<>();
    try (Stream<Path> tree = Files.walk(root)) {
      tree.filter(Files::isRegularFile)
          .filter(file -> !hidden(root.relativize(file)))
          .sorted(Comparator.comparing(file -> name(root, file)))
          .forEach(file -> add(files, file, root.getFileName() + "/" + name(root, file), split));
    } catch (IOException e) {
      throw new DataException(root + ": cannot be listed: " + e, e);
    }
    return files;
  }

  private static String name(Path root, Path file) {
    return root.relativize(file).toString().replace('\\', '/');
  }

  private static boolean hidden(Path relative) {
    for (Path part : relative) {
      if (part.toString().startsWith(".")) {
        return true;
      }
    }
    return false;
  }

  private void add(List<Found> files, Path file, String name, SplitName split) {
    try {
      SplitName other = seen.putIfAbsent(file.toRealPath(), split);
      if (other == split) {
        return;
      }
      if (other != null) {
        throw new DataException(
            file + ": expected on one side of the split, found in paths and validation_paths");
      }
      long bytes = Files.size(file);
      if (bytes == 0) {
        throw new DataException(file + ": byte 0: expected text, found an empty file");
      }
      files.add(new Found(file, name, bytes));
    } catch (IOException e) {
      throw new DataException(file + ": cannot be read: " + e, e);
    }
  }
}
