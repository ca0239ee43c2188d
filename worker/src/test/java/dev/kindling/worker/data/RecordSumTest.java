package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RecordSumTest {
  private static final int LENGTH = 8;
  private static final int RECORD = LENGTH + 1 + Integer.BYTES;

  @TempDir private Path folder;
  private Path first = Path.of("");
  private Path second = Path.of("");

  @BeforeEach
  void prepare() throws IOException {
    Path text = Files.writeString(folder.resolve("text.txt"), "abcdefghijklmnopq ".repeat(20));
    Text data = new Text(List.of(text.toString()), List.of(), 0, false);
    Function<String, Path> target = fingerprint -> folder.resolve("set");
    WorkPool pool = WorkPool.sequential(WorkPool.Progress.silent());
    // 128 tokens a shard: 16 records.
    Preparation.prepare(data, new Bytes(), LENGTH, target, 128, pool);
    first = folder.resolve("set/train-00000.tokens");
    second = folder.resolve("set/train-00001.tokens");
    assertThat(Files.size(first)).isEqualTo(16 * RECORD);
  }

  private List<int[]> read() {
    List<int[]> all = new ArrayList<>();
    TokenShards shards = TokenShards.open(folder.resolve("set"));
    try (SequenceReader reader = SequenceReader.open(shards, SplitName.TRAIN)) {
      for (long sequence = 0; sequence < reader.sequences(); sequence++) {
        int[] tokens = new int[LENGTH + 1];
        reader.read(sequence, tokens);
        all.add(tokens);
      }
    }
    return all;
  }

  private static void copy(byte[] from, int record, byte[] to, int place) {
    System.arraycopy(from, record * RECORD, to, place * RECORD, RECORD);
  }

  private void swap(int left, int right) throws IOException {
    byte[] good = Files.readAllBytes(first);
    byte[] swapped = good.clone();
    copy(good, left, swapped, right);
    copy(good, right, swapped, left);
    Files.write(first, swapped);
  }

  @Test
  void recordsThatChangedPlacesAreFound() throws IOException {
    assertThat(read()).hasSizeGreaterThan(32);
    swap(3, 5);
    assertThatThrownBy(this::read)
        .isInstanceOf(DataException.class)
        .hasMessageContaining(first + ": byte " + 3 * RECORD + ": expected CRC32C")
        .hasMessageContaining("another record?");
  }

  @Test
  void aRecordOfAnotherShardIsFound() throws IOException {
    byte[] own = Files.readAllBytes(first);
    copy(Files.readAllBytes(second), 4, own, 4);
    Files.write(first, own);
    assertThatThrownBy(this::read)
        .isInstanceOf(DataException.class)
        .hasMessageContaining(first + ": byte " + 4 * RECORD + ": expected CRC32C");
  }

  @Test
  void theSumIsThatOfTheDocumentedBytes() throws IOException {
    ByteBuffer shard = ByteBuffer.wrap(Files.readAllBytes(second)).order(ByteOrder.LITTLE_ENDIAN);
    CRC32C crc = new CRC32C();
    crc.update("train-00001.tokens".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    crc.update(new byte[] {7, 0, 0, 0, 0, 0, 0, 0});
    crc.update(shard.array(), 7 * RECORD, LENGTH + 1);
    assertThat(shard.getInt(8 * RECORD - Integer.BYTES)).isEqualTo((int) crc.getValue());
  }

  /** As the first version wrote it: the sum of a record is that of its tokens. */
  @Test
  void setsOfTheFirstFormatAreReadAsBefore() throws IOException {
    List<int[]> expected = read();
    TokenShards shards = TokenShards.open(folder.resolve("set"));
    for (Manifest.Shard shard : shards.part(SplitName.TRAIN).shards()) {
      Path file = folder.resolve("set").resolve(shard.file());
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < bytes.capacity(); at += RECORD) {
        CRC32C crc = new CRC32C();
        crc.update(bytes.array(), at, LENGTH + 1);
        bytes.putInt(at + LENGTH + 1, (int) crc.getValue());
      }
      Files.write(file, bytes.array());
    }
    assertThatThrownBy(this::read).isInstanceOf(DataException.class);
    Path manifest = folder.resolve("set/manifest.json");
    String text = Files.readString(manifest);
    Files.writeString(
        manifest,
        text.replace("kindling-tokens-4", "kindling-tokens-1")
            .replace("  \"examples\": false,\n", ""));
    assertThat(read()).usingRecursiveComparison().isEqualTo(expected);
    swap(3, 5);
    assertThat(read()).as("what the first format cannot know").hasSameSizeAs(expected);
  }
}
