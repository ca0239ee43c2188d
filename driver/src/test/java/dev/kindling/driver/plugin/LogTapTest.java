package dev.kindling.driver.plugin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.event.LogBuffer;
import dev.kindling.worker.event.LogScope;
import dev.kindling.worker.event.LoggedLines;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

class LogTapTest {
  private static final Logger LOG = LoggerFactory.getLogger(LogTapTest.class);

  @Test
  void aRankGetsWhatItsOwnThreadsLogOnce() throws InterruptedException {
    assertThat(LogTap.install()).isTrue();
    assertThat(LogTap.install()).as("twice").isTrue();
    LogBuffer one = new LogBuffer(1);
    LogBuffer two = new LogBuffer(2);
    for (LogBuffer rank : List.of(one, two)) {
      Thread thread =
          new Thread(
              () -> {
                LogScope.ofThread(rank);
                LOG.error("rank {} in trouble", rank == one ? 1 : 2, new IOException("disk"));
              });
      thread.start();
      thread.join();
    }
    LOG.error("nobody's");
    List<LoggedLines.Line> lines = one.take(100_000).orElseThrow().lines();
    assertThat(lines.get(0).text()).isEqualTo("ERROR LogTapTest: rank 1 in trouble");
    assertThat(lines.get(1).text()).isEqualTo("java.io.IOException: disk");
    assertThat(lines.get(2).text()).startsWith("\tat ");
    assertThat(lines).noneMatch(line -> line.text().contains("nobody"));
    assertThat(two.take(100_000).orElseThrow().text()).contains("rank 2").doesNotContain("rank 1");
  }
}
