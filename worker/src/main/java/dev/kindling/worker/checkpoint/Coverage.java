package dev.kindling.worker.checkpoint;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Checks that parts make one whole: every part and rank of a kind, every tensor once per kind, all
 * in the generation's folder.
 */
final class Coverage {
  private Coverage() {}

  static void check(String where, String folder, int worldSize, List<PartDescriptor> parts) {
    Set<String> files = new HashSet<>();
    Set<String> tensors = new HashSet<>();
    for (PartDescriptor part : parts) {
      if (!part.folder().equals(folder)) {
        throw new CheckpointException(
            where + ": part " + part.path() + ": expected a part of " + folder);
      }
      if (part.worldSize() != worldSize) {
        throw new CheckpointException(
            where
                + ": part "
                + part.file()
                + ": expected worldSize "
                + worldSize
                + ", found "
                + part.worldSize());
      }
      if (!files.add(part.file())) {
        throw new CheckpointException(
            where + ": part " + part.file() + ": expected once, found twice");
      }
      for (StoredTensor tensor : part.tensors()) {
        if (!tensors.add(part.kind().word() + "\t" + tensor.name())) {
          throw new CheckpointException(
              where
                  + ": tensor "
                  + tensor.name()
                  + ": expected in one part, found again in "
                  + part.file());
        }
      }
    }
    for (PartKind kind : PartKind.values()) {
      checkNumbers(
          where, worldSize, kind, parts.stream().filter(part -> part.kind() == kind).toList());
    }
  }

  /**
   * Numbers without a gap, ranks in their order, none left out. That the first part is of the first
   * rank and the last of the last is what {@link PartDescriptor} demands of each.
   */
  private static void checkNumbers(
      String where, int worldSize, PartKind kind, List<PartDescriptor> parts) {
    Map<Integer, PartDescriptor> byNumber = new TreeMap<>();
    int count = parts.isEmpty() ? worldSize : parts.get(0).place().count();
    for (PartDescriptor part : parts) {
      if (part.place().count() != count) {
        throw new CheckpointException(
            where + ": part " + part.file() + ": expected one of " + count + " parts");
      }
      byNumber.put(part.place().number(), part);
    }
    int rank = 0;
    for (int number = 1; number <= count; number++) {
      PartDescriptor part = byNumber.get(number);
      if (part == null) {
        throw new CheckpointException(
            where + ": part " + Layout.partFile(kind, number, count) + ": expected, found none");
      }
      if (part.rank() < rank || part.rank() > rank + 1) {
        throw new CheckpointException(
            where
                + ": part "
                + part.file()
                + ": expected from rank "
                + rank
                + " or the next, found from rank "
                + part.rank());
      }
      rank = part.rank();
    }
  }
}
