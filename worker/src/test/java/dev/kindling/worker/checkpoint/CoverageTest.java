package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Numbers and ranks of parts that are no whole. */
class CoverageTest {
  private static final String FOLDER = "data/e0000000001/s000000000001-aa";
  private static final FileHash HASH = hash();

  private static FileHash hash() {
    Hashing hashing = new Hashing(FileHash.BLOCK_BYTES);
    hashing.update(ByteBuffer.allocate(3));
    return hashing.finish();
  }

  private static PartDescriptor part(
      PartKind kind, int number, int count, int rank, int worldSize) {
    String file = Layout.partFile(kind, number, count);
    return new PartDescriptor(FOLDER, file, kind, rank, worldSize, HASH, List.of());
  }

  /** Parts of weights by the ranks that wrote them, beside optimizer parts that are whole. */
  private static List<PartDescriptor> parts(int worldSize, int... ranks) {
    List<PartDescriptor> parts = new ArrayList<>();
    for (int at = 0; at < ranks.length; at++) {
      parts.add(part(PartKind.MODEL, at + 1, ranks.length, ranks[at], worldSize));
    }
    for (int rank = 0; rank < worldSize; rank++) {
      parts.add(part(PartKind.OPTIMIZER, rank + 1, worldSize, rank, worldSize));
    }
    return parts;
  }

  private static void check(int worldSize, List<PartDescriptor> parts) {
    Coverage.check("here", FOLDER, worldSize, parts);
  }

  private static void assertRefused(int worldSize, List<PartDescriptor> parts, String message) {
    assertThatThrownBy(() -> check(worldSize, parts))
        .isInstanceOf(CheckpointException.class)
        .hasMessage("here: " + message);
  }

  @Test
  void ranksWriteAsManyPartsAsTheyLike() {
    check(1, parts(1, 0));
    check(3, parts(3, 0, 1, 2));
    check(3, parts(3, 0, 0, 1, 2, 2, 2));
  }

  @Test
  void partsOfDifferentCountsAreNoWhole() {
    List<PartDescriptor> parts = parts(2, 0, 0, 1);
    parts.set(1, part(PartKind.MODEL, 2, 4, 0, 2));
    assertRefused(2, parts, "part model-00002-of-00004.safetensors: expected one of 3 parts");
  }

  @Test
  void aPartThatIsNotThereIsNamed() {
    for (int gone : new int[] {1, 2, 3}) {
      List<PartDescriptor> parts = parts(2, 0, 0, 1);
      parts.remove(gone - 1);
      String file = Layout.partFile(PartKind.MODEL, gone, 3);
      assertRefused(2, parts, "part " + file + ": expected, found none");
    }
    List<PartDescriptor> none = parts(2);
    assertRefused(2, none, "part model-00001-of-00002.safetensors: expected, found none");
  }

  @Test
  void aRankThatIsLeftOutIsFound() {
    assertRefused(
        3,
        parts(3, 0, 0, 2, 2),
        "part model-00003-of-00004.safetensors: expected from rank 0 or the next, found from rank"
            + " 2");
  }

  @Test
  void ranksOutOfTheirOrderAreFound() {
    assertRefused(
        2,
        parts(2, 0, 1, 0, 1),
        "part model-00003-of-00004.safetensors: expected from rank 1 or the next, found from rank"
            + " 0");
  }

  @Test
  void theFirstAndTheLastRankCannotBeLeftOut() {
    assertThatThrownBy(() -> part(PartKind.MODEL, 1, 5, 1, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected one of rank 1 of 2");
    assertThatThrownBy(() -> part(PartKind.MODEL, 5, 5, 0, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected one of rank 0 of 2");
  }
}
