package dev.kindling.worker.loop;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NcclCheckTest {
  @ParameterizedTest
  @Tag("multi-gpu")
  @ValueSource(strings = {"values", "kill", "hang", "late"})
  void twoGpusMeetAndSurviveEachOther(String mode) throws Exception {
    assertThat(NcclCheck.start(mode, 2)).isTrue();
  }

  /** What the check compares with: different on each run, and not zero. */
  @Test
  void theCasesRunOnTheCpuAndTellRunsApart() throws Exception {
    for (var each : NcclCases.of(2).entrySet()) {
      List<List<Map<String, float[]>>> ranks = NcclCases.expected(each.getValue(), 2, 2);
      for (List<Map<String, float[]>> runs : ranks) {
        assertThat(runs.get(0)).as(each.getKey()).isNotEmpty().hasSameSizeAs(runs.get(1));
      }
      Map<String, float[]> last = ranks.get(1).get(1);
      assertThat(last.values())
          .as(each.getKey())
          .anySatisfy(values -> assertThat(sum(values)).isPositive())
          .allSatisfy(values -> assertThat(max(values)).isLessThanOrEqualTo(256));
    }
  }

  private static float sum(float[] values) {
    float sum = 0;
    for (float value : values) {
      sum += value;
    }
    return sum;
  }

  private static float max(float[] values) {
    float max = 0;
    for (float value : values) {
      max = Math.max(max, value);
    }
    return max;
  }
}
