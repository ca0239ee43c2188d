package dev.kindling.worker.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BatchReaderTest {
  private static final int LENGTH = 8;
  private static final long SEED = Long.getLong("seed", 7L);

  @TempDir Path folder;
  private final List<String> paths = new ArrayList<>();

  @BeforeEach
  void write() throws IOException {
    Random random = new Random(SEED);
    for (int k = 0; k < 20; k++) {
      StringBuilder text = new StringBuilder();
      for (int i = random.nextInt(40); i >= 0; i--) {
        text.append((char) ('a' + random.nextInt(26)));
      }
      paths.add(Files.writeString(folder.resolve("t" + k), text).toString());
    }
  }

  private TokenShards shards(boolean mask) {
    Text spec = new Text(paths.subList(0, 15), paths.subList(15, 20), 0, mask);
    return Preparation.prepare(spec, new Bytes(), LENGTH, folder.resolve("set" + mask));
  }

  private static List<String> read(BatchReader reader, int microSteps) {
    List<String> sequences = new ArrayList<>();
    for (int k = 0; k < microSteps; k++) {
      Batch batch = reader.next();
      for (int at = 0; at < batch.size(); at += LENGTH) {
        StringBuilder line = new StringBuilder();
        for (int i = at; i < at + LENGTH; i++) {
          line.append(batch.token(i)).append('>').append(batch.target(i));
          line.append('@')
              .append(batch.position(i))
              .append('#')
              .append(batch.segment(i))
              .append(' ');
        }
        sequences.add(line.toString());
      }
    }
    return sequences;
  }

  @Test
  void ranksReadTheSameBatchWhateverTheirNumber() {
    TokenShards shards = shards(false);
    int steps = 30;
    List<String> whole;
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 12, 3), SEED, 0)) {
      whole = read(reader, 4 * steps);
    }
    for (int worldSize : new int[] {2, 3, 4, 6}) {
      List<List<String>> ranks = new ArrayList<>();
      for (int rank = 0; rank < worldSize; rank++) {
        BatchSlice slice =
            new BatchSlice(rank, worldSize, 12, 12 / worldSize / (worldSize < 4 ? 2 : 1));
        try (BatchReader reader = BatchReader.training(shards, slice, SEED, 0)) {
          ranks.add(read(reader, slice.microSteps() * steps));
        }
      }
      List<String> joined = new ArrayList<>();
      int each = 12 / worldSize;
      for (int step = 0; step < steps; step++) {
        for (List<String> rank : ranks) {
          joined.addAll(rank.subList(step * each, (step + 1) * each));
        }
      }
      assertThat(joined).as("seed %d, %d ranks", SEED, worldSize).isEqualTo(whole);
    }
  }

  @Test
  void openedAtAStepGivesWhatOneFromTheStartGivesThere() {
    TokenShards shards = shards(true);
    BatchSlice slice = new BatchSlice(1, 2, 4, 1);
    List<String> all;
    try (BatchReader reader = BatchReader.training(shards, slice, SEED, 0)) {
      all = read(reader, 60);
    }
    try (BatchReader reader = BatchReader.training(shards, slice, SEED, 17)) {
      assertThat(read(reader, 26)).isEqualTo(all.subList(34, 60));
      assertThat(reader.next().step()).isEqualTo(30);
    }
  }

  @Test
  void batchesTellWhichSamplesTheyHoldAndLeftOutOnesNeverCome() {
    TokenShards shards = shards(false);
    SampleOrder order = new SampleOrder(SEED, shards.part(SplitName.TRAIN).sequences());
    SkippedBatches leftOut = SkippedBatches.NONE.and(new SkippedBatches.Range(2, 4));
    long[] batches = {0, 1, 5, 6};
    long[] sums = new long[batches.length];
    for (int rank = 0; rank < 2; rank++) {
      BatchSlice slice = new BatchSlice(rank, 2, 4, 1);
      try (BatchReader reader = BatchReader.training(shards, slice, SEED, 0, leftOut)) {
        for (int step = 0; step < batches.length; step++) {
          sums[step] += reader.next().samples();
          sums[step] += reader.next().samples();
        }
      }
    }
    for (int step = 0; step < batches.length; step++) {
      long expected = 0;
      for (long place = 0; place < 4; place++) {
        expected += SampleDigest.of(place, order.at(4 * batches[step] + place));
      }
      assertThat(sums[step]).isEqualTo(expected);
    }
  }

  @Test
  void eachSampleComesOncePerEpoch() {
    TokenShards shards = shards(false);
    int held = (int) shards.part(SplitName.TRAIN).sequences();
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 1, 1), SEED, 0)) {
      List<String> first = read(reader, held);
      List<String> second = read(reader, held);
      assertThat(second).containsExactlyInAnyOrderElementsOf(first).isNotEqualTo(first);
    }
  }

  @Test
  void targetsAreTheNextTokens() {
    TokenShards shards = shards(false);
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 2, 2), SEED, 0)) {
      Batch batch = reader.next();
      for (int i = 0; i < batch.size(); i++) {
        assertThat(batch.position(i)).isEqualTo(i % LENGTH);
        if (i % LENGTH > 0) {
          assertThat(batch.token(i)).isEqualTo(batch.target(i - 1));
        }
      }
      IntBuffer tokens = IntBuffer.allocate(16);
      batch.copyTo(tokens, IntBuffer.allocate(16), IntBuffer.allocate(16), null);
      assertThat(tokens.get(15)).isEqualTo(batch.token(15));
    }
  }

  @Test
  void maskedDocumentsRestartPositionsAndIgnoreTheTargetAcrossTheSeparator() {
    TokenShards shards = shards(true);
    int boundaries = 0;
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 4, 4), SEED, 0)) {
      for (int step = 0; step < 20; step++) {
        Batch batch = reader.next();
        for (int i = 0; i < batch.size(); i++) {
          boolean separator = batch.token(i) == 0;
          assertThat(batch.target(i) == Batch.IGNORED).isEqualTo(separator);
          boolean first = i % LENGTH == 0;
          if (separator && i % LENGTH < LENGTH - 1) {
            boundaries++;
            assertThat(batch.position(i + 1)).isZero();
            assertThat(batch.segment(i + 1)).isEqualTo(batch.segment(i) + 1);
          }
          assertThat(first && batch.segment(i) != 0).isFalse();
        }
      }
    }
    assertThat(boundaries).isPositive();
  }

  @Test
  void validationIsTheSameEachTimeAndPadsWhatIsNotThere() {
    TokenShards shards = shards(false);
    long held = shards.part(SplitName.VALIDATION).sequences();
    int batches = (int) held / 4 + 2;
    try (BatchReader reader = BatchReader.validation(shards, new BatchSlice(0, 1, 4, 2), batches)) {
      List<String> first = read(reader, 2 * batches);
      assertThat(read(reader, 2 * batches)).isEqualTo(first);
      assertThat(first.stream().filter(line -> !line.contains(">-100"))).hasSize((int) held);
      assertThat(first.stream().filter(line -> line.contains(">-100")))
          .hasSize(4 * batches - (int) held);
    }
    try (BatchReader few = BatchReader.validation(shards, new BatchSlice(0, 1, 2, 2), 1)) {
      assertThat(read(few, 1)).doesNotHaveDuplicates().noneMatch(line -> line.contains(">-100"));
    }
  }

  @Test
  void damageSurfacesInTheStepWithRankAndFile() throws IOException {
    TokenShards shards = shards(false);
    Path shard = folder.resolve("setfalse/train-00000.tokens");
    byte[] bytes = Files.readAllBytes(shard);
    for (int at = 0; at < bytes.length; at += 5) {
      bytes[at] ^= 1;
    }
    Files.write(shard, bytes);
    try (BatchReader reader = BatchReader.training(shards, new BatchSlice(1, 2, 2, 1), SEED, 0)) {
      assertThatThrownBy(reader::next)
          .isInstanceOf(DataException.class)
          .hasMessageContaining("rank 1: ")
          .hasMessageContaining("train-00000.tokens: byte");
    }
  }

  @Test
  void steadyStateAllocatesNothingAndCloseEndsTheThread() {
    TokenShards shards = shards(true);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    BatchReader reader = BatchReader.training(shards, new BatchSlice(0, 1, 2, 1), SEED, 0);
    IntBuffer[] into = new IntBuffer[4];
    for (int k = 0; k < 4; k++) {
      into[k] = IntBuffer.allocate(LENGTH);
    }
    Thread background =
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().equals("data-train-rank-0"))
            .findFirst()
            .orElseThrow();
    take(reader, into, 2000);
    long mine = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
    long theirs = threads.getThreadAllocatedBytes(background.getId());
    take(reader, into, 10_000);
    mine = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - mine;
    theirs = threads.getThreadAllocatedBytes(background.getId()) - theirs;
    // A monitor or the JIT may cost a few objects once; one object a batch would be 160,000 bytes.
    assertThat(mine).isLessThan(40_000);
    assertThat(theirs).isLessThan(40_000);
    reader.close();
    assertThat(background.isAlive()).isFalse();
    assertThatThrownBy(
            () -> {
              while (true) {
                reader.next();
              }
            })
        .isInstanceOf(IllegalStateException.class);
  }

  private static void take(BatchReader reader, IntBuffer[] into, int batches) {
    for (int k = 0; k < batches; k++) {
      reader.next().copyTo(into[0], into[1], into[2], into[3]);
    }
  }
}
