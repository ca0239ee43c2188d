package dev.kindling.worker.replay;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.checkpoint.CheckpointException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SlopeLogTest {
  private static final String RUN = "0123456789abcdef".repeat(4);

  @TempDir private Path folder;

  private void write(String name, long start, int count, int extraBytes) throws IOException {
    write(name, start, count, extraBytes, RUN);
  }

  private void write(String name, long start, int count, int extraBytes, String run)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(new SlopeHeader(start, 256, Optional.empty(), run, "model: ä\n").bytes());
    ByteBuffer records =
        ByteBuffer.allocate(SlopeRecord.BYTES * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 1; i <= count; i++) {
      SlopeRecord.put(records, start + i, 0, 0.5f * i, 1e-6f, i == 2);
    }
    bytes.write(records.array());
    bytes.write(new byte[extraBytes]);
    Files.write(folder.resolve(name), bytes.toByteArray());
  }

  @Test
  void filesJoinAndWhatALaterAttemptDidAgainCountsOnce() throws IOException {
    write("e0000000001-s0000.log", 0, 7, 0);
    write("e0000000002-s0000.log", 4, 3, 5);
    SlopeLog log = SlopeLog.read(folder);
    assertThat(log.records()).hasSize(7);
    assertThat(log.firstStep()).isEqualTo(1);
    assertThat(log.lastStep()).isEqualTo(7);
    assertThat(log.records().get(1)).isEqualTo(new SlopeRecord(2, 0, 1f, 1e-6f, true));
    assertThat(log.records().get(4)).isEqualTo(new SlopeRecord(5, 0, 0.5f, 1e-6f, false));
    assertThat(log.header().config()).isEqualTo("model: ä\n");
    assertThat(log.upTo(3).lastStep()).isEqualTo(3);
  }

  @Test
  void eachHeaderHoldsUpToTheStartOfTheNext() throws IOException {
    write("e0000000001-s0000.log", 0, 7, 0);
    write("e0000000002-s0000.log", 4, 3, 0);
    write("e0000000003-s0000.log", 4, 2, 0);
    write("e0000000003-s0001.log", 6, 2, 0);
    SlopeLog log = SlopeLog.read(folder);
    assertThat(starts(log.headers())).containsExactly(0L, 4L, 6L);
    assertThat(log.header().start()).isEqualTo(6);
    assertThat(starts(log.upTo(6).headers())).containsExactly(0L, 4L);
    assertThat(starts(log.upTo(0).headers())).containsExactly(0L);
    assertThat(starts(log.behind(0))).containsExactly(0L, 4L, 6L);
    assertThat(starts(log.behind(3))).containsExactly(0L, 4L, 6L);
    assertThat(starts(log.behind(4))).containsExactly(4L, 6L);
    assertThat(starts(log.behind(8))).containsExactly(6L);
  }

  private static List<Long> starts(List<SlopeHeader> headers) {
    return headers.stream().map(SlopeHeader::start).toList();
  }

  /** With fewer ranks, or batches left out: its weights are where the run goes on from. */
  @Test
  void stepsThatAnAttemptOnAnotherTrajectoryMadeAgainDoNotComeBack() throws IOException {
    String other = "fedcba9876543210".repeat(4);
    write("e0000000001-s0000.log", 0, 9, 0);
    write("e0000000002-s0000.log", 6, 2, 0, other);
    assertThat(SlopeLog.ofRun(folder, RUN).orElseThrow().lastStep()).isEqualTo(6);
    SlopeLog second = SlopeLog.ofRun(folder, other).orElseThrow();
    assertThat(second.firstStep()).isEqualTo(7);
    assertThat(second.lastStep()).isEqualTo(8);

    // A checkpoint of the other one, from which the first trajectory goes on.
    write("e0000000003-s0000.log", 7, 3, 0);
    SlopeLog again = SlopeLog.ofRun(folder, RUN).orElseThrow();
    assertThat(again.firstStep()).isEqualTo(8);
    assertThat(again.lastStep()).isEqualTo(10);
    assertThat(SlopeLog.ofRun(folder, other).orElseThrow().lastStep()).isEqualTo(7);
    SlopeLog all = SlopeLog.read(folder);
    assertThat(all.records()).hasSize(10);
    assertThat(all.records().get(6)).isEqualTo(new SlopeRecord(7, 0, 0.5f, 1e-6f, false));
    assertThat(all.records().get(7)).isEqualTo(new SlopeRecord(8, 0, 0.5f, 1e-6f, false));
  }

  @Test
  void aFileThatItsWriterDidNotBeginIsNone() throws IOException {
    Files.createFile(folder.resolve("e0000000002-s0000.log"));
    assertThatThrownBy(() -> SlopeLog.read(folder)).hasMessageContaining("found no file of one");
    write("e0000000001-s0000.log", 0, 7, 0);
    write("e0000000003-s0000.log", 7, 2, 0);
    assertThat(SlopeLog.read(folder).records()).hasSize(9);
  }

  @Test
  void stepsThatAreMissingAreNamed() throws IOException {
    write("e0000000001-s0000.log", 0, 3, 0);
    write("e0000000002-s0000.log", 5, 3, 0);
    assertThatThrownBy(() -> SlopeLog.read(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("e0000000002-s0000.log: begins after step 5")
        .hasMessageContaining("found them up to 3");
  }

  @Test
  void whatIsNoLogIsRefused() throws IOException {
    assertThatThrownBy(() -> SlopeLog.read(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("found no file of one");
    Files.writeString(folder.resolve("e0000000001-s0000.log"), "kindling slopes 1\n");
    assertThatThrownBy(() -> SlopeLog.read(folder))
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining("expected a header");
  }
}
