package dev.kindling.benchmarks;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The small form of what {@code bench resume --kills 20 --world-changes 5} does. */
@Tag("long")
class EpochRunTest {
  @TempDir private Path folder;

  /** The benchmark throws if a bit, a sample or a command is not as it should be. */
  @Test
  void killsAndOtherNumbersOfRanksFeedEachSampleOnceAndChangeNoBit() throws Exception {
    new ResumeBench()
        .run(
            new Results(),
            List.of(
                "--kills",
                "5",
                "--world-changes",
                "2",
                "--launcher",
                "processes",
                "--keep",
                folder.toString()));
  }
}
