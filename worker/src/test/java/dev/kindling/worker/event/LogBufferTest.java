package dev.kindling.worker.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class LogBufferTest {
  private final LogBuffer buffer = new LogBuffer(3);

  @Test
  void linesLeaveInOrderUnderTheirNumbers() {
    buffer.put(5, "first\nsecond\n\tthird");
    buffer.put(6, "fourth");
    LoggedLines start = buffer.take(10).orElseThrow();
    assertThat(start).isEqualTo(new LoggedLines(3, 0, "5 first\n5 second"));
    LoggedLines rest = buffer.take(1000).orElseThrow();
    assertThat(rest.first()).isEqualTo(2);
    assertThat(rest.lines())
        .containsExactly(new LoggedLines.Line(5, "\tthird"), new LoggedLines.Line(6, "fourth"));
    assertThat(buffer.take(1000)).isEmpty();
  }

  @Test
  void aFloodThatNobodyTakesAwayStaysBoundedAndKeepsTheNewest() {
    for (int i = 0; i < 100_000; i++) {
      buffer.put(i, "line %06d of a flood that goes on".formatted(i));
    }
    List<LoggedLines.Line> kept = new ArrayList<>();
    long first = -1;
    for (var lines = buffer.take(1000); lines.isPresent(); lines = buffer.take(1000)) {
      first = first < 0 ? lines.get().first() : first;
      kept.addAll(lines.get().lines());
    }
    assertThat(kept.stream().mapToInt(line -> line.text().length()).sum())
        .isLessThanOrEqualTo(LogBuffer.CAPACITY);
    assertThat(first + kept.size()).as("dropped lines have numbers too").isEqualTo(100_000);
    assertThat(kept.get(0).text()).startsWith("line %06d".formatted(first));
    assertThat(kept.get(kept.size() - 1).text()).startsWith("line 099999");
  }

  @Test
  void aVeryLongLineIsCutAndAnEndedRankTakesNone() {
    buffer.put(0, "x".repeat(LogBuffer.CAPACITY * 2));
    assertThat(buffer.take(1).orElseThrow().text())
        .hasSize("0 ".length() + LogBuffer.LINE_CHARS + " ...".length());
    buffer.close();
    buffer.put(1, "late");
    assertThat(buffer.take(1)).isEmpty();
  }
}
