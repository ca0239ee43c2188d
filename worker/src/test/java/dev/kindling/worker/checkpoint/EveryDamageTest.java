package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.ForwardingStorage;
import dev.kindling.worker.store.HeldInput;
import dev.kindling.worker.store.LocalMedium;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import dev.kindling.worker.store.StorageInput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Two generations, and one file of the newer one cut to any length or with any bit flipped: none is
 * ever selected, and the refusal says which file, where, what was expected and what was found.
 */
class EveryDamageTest {
  private static final String NEWER = "data/e0000000001/s000000000002-3f9a";
  private static final String COMMIT = "commits/e0000000001-s000000000002.json";

  private final Storage storage = LocalMedium.create().storage();

  /** One file is another than the one on the disk. */
  private static final class Damaged extends ForwardingStorage {
    private final String name;
    private final byte[] content;

    Damaged(Storage storage, String name, byte[] content) {
      super(storage);
      this.name = name;
      this.content = content;
    }

    @Override
    public StorageInput open(String opened) throws IOException {
      return opened.equals(name) ? new HeldInput(content) : super.open(opened);
    }
  }

  @BeforeEach
  void twoGenerations() {
    CheckpointStore store = TinyRun.open(storage);
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 2);
    TinyRun.save(store, epoch, 2, 2);
  }

  private List<String> parts() throws IOException {
    return storage.list(NEWER).stream()
        .map(StorageEntry::name)
        .map(name -> NEWER + "/" + name)
        .toList();
  }

  private byte[] content(String file) throws IOException {
    return storage.read(file, 16 << 20);
  }

  /** The only refusal; the older generation is selected. */
  private String refusal(String file, byte[] damaged, String as) {
    List<String> refusals = new ArrayList<>();
    CheckpointStore store = TinyRun.open(new Damaged(storage, file, damaged));
    assertThat(store.newestValid(refusals).orElseThrow().step()).as(as).isEqualTo(1);
    assertThat(refusals).as(as).hasSize(1);
    assertThat(refusals.get(0)).as(as).startsWith(file + ": ");
    return refusals.get(0);
  }

  @Test
  void everyTruncationOfEveryFileIsRefused() throws IOException {
    List<String> files = new ArrayList<>(parts());
    files.add(COMMIT);
    for (String file : files) {
      byte[] whole = content(file);
      for (int length = 0; length < whole.length; length++) {
        String as = file + " cut to " + length;
        assertThat(refusal(file, Arrays.copyOf(whole, length), as))
            .as(as)
            .contains("expected ", "found ");
      }
    }
    assertThat(TinyRun.open(storage).newestValid(new ArrayList<>()).orElseThrow().step())
        .isEqualTo(2);
  }

  private void assertFlipOfCommitIsRefused(byte[] whole, int bit) {
    byte[] flipped = whole.clone();
    flipped[bit / 8] ^= (byte) (1 << (bit % 8));
    String as = "bit " + bit;
    assertThat(refusal(COMMIT, flipped, as))
        .as(as)
        .contains(": expected last line ", ", found content with #sha256=");
  }

  @Test
  void someSingleBitFlipsOfTheCommitAreRefused() throws IOException {
    byte[] whole = content(COMMIT);
    for (int bit = 0; bit < whole.length * 8; bit += 13) {
      assertFlipOfCommitIsRefused(whole, bit);
    }
  }

  @Tag("long")
  @Test
  void everySingleBitFlipOfTheCommitIsRefused() throws IOException {
    byte[] whole = content(COMMIT);
    for (int bit = 0; bit < whole.length * 8; bit++) {
      assertFlipOfCommitIsRefused(whole, bit);
    }
  }

  @Test
  void someFlipsInPartsAreRefused() throws IOException {
    assertFlipsInPartsAreRefused(700);
  }

  @Tag("long")
  @Test
  void tenThousandFlipsInPartsAreRefused() throws IOException {
    assertFlipsInPartsAreRefused(10_000);
  }

  /** One to three bits; every file in proportion to its length. */
  private void assertFlipsInPartsAreRefused(int flips) throws IOException {
    long seed = Long.getLong("seed", 20261122L);
    Random random = new Random(seed);
    List<String> files = parts();
    List<byte[]> contents = new ArrayList<>();
    for (String file : files) {
      contents.add(content(file));
    }
    int bits = 8 * contents.stream().mapToInt(content -> content.length).sum();
    for (int i = 0; i < flips; i++) {
      int at = random.nextInt(bits);
      int file = 0;
      while (at >= 8 * contents.get(file).length) {
        at -= 8 * contents.get(file++).length;
      }
      byte[] flipped = contents.get(file).clone();
      TreeSet<Integer> chosen = new TreeSet<>(List.of(at));
      for (int more = random.nextInt(3); more > 0; more--) {
        chosen.add(random.nextInt(8 * flipped.length));
      }
      chosen.forEach(bit -> flipped[bit / 8] ^= (byte) (1 << (bit % 8)));
      String as = "seed " + seed + ", flip " + i + " of bits " + chosen + " in " + files.get(file);
      assertThat(refusal(files.get(file), flipped, as))
          .as(as)
          .matches(".*: block 0 \\(byte 0\\): expected crc32c [0-9a-f]{8}, found [0-9a-f]{8}");
    }
  }

  @Test
  void theBlockOfAFlipIsNamedWithItsHashes() throws IOException {
    CheckpointStore store = CheckpointStore.open(storage, 2);
    int floats = 5 * FileHash.BLOCK_BYTES / 2 / Float.BYTES;
    Span large = Span.allocate((long) floats * Float.BYTES);
    for (int i = 0; i < floats; i++) {
      large.putFloat(i, i);
    }
    List<PartDescriptor> parts = new ArrayList<>();
    for (PartKind kind : PartKind.values()) {
      parts.addAll(
          store.writeParts(
              1,
              3,
              TinyRun.SUFFIX,
              TinyRun.onePart(kind, 0, 1),
              List.of(new NamedSpan("w", Shape.of(floats), large))));
    }
    store.commit(
        new CommitRequest(1, 3, TinyRun.SUFFIX, 1, parts, TinyRun.state(3, 1), TinyRun.FACTS));
    String file = parts.get(0).path();
    byte[] whole = content(file);
    for (int at = 0; at < whole.length; at += whole.length / 40) {
      whole[at] ^= 64;
      int block = at / FileHash.BLOCK_BYTES;
      List<String> refusals = new ArrayList<>();
      TinyRun.open(new Damaged(storage, file, whole)).newestValid(refusals);
      String expected =
          java.util.HexFormat.of().toHexDigits(parts.get(0).hash().crc32c().get(block));
      assertThat(refusals)
          .singleElement()
          .asString()
          .startsWith(
              file
                  + ": block "
                  + block
                  + " (byte "
                  + block * FileHash.BLOCK_BYTES
                  + "): expected crc32c "
                  + expected
                  + ", found ");
      whole[at] ^= 64;
    }
  }
}
