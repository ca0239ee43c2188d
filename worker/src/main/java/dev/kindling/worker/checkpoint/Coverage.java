package dev.kindling.worker.checkpoint;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Checks that parts make one whole: every rank once per kind, every tensor once per kind, all in
 * the generation's folder.
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
      for (int rank = 0; rank < worldSize; rank++) {
        String expected = Layout.partFile(kind, rank, worldSize);
        if (!files.contains(expected)) {
          throw new CheckpointException(
              where + ": part " + expected + ": expected from rank " + rank + ", found none");
        }
      }
    }
  }
}
