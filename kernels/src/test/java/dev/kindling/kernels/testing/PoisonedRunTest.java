package dev.kindling.kernels.testing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.cases.OpCase;
import dev.kindling.kernels.cases.OpCases;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the tests on a GPU rest on, where there is none. */
class PoisonedRunTest {
  static Stream<OpCase> lines() {
    return OpCases.all().stream().filter(line -> line.ranks() == 1);
  }

  @ParameterizedTest
  @MethodSource("lines")
  void spoiltMemoryLeavesNoTrace(OpCase line) {
    DeviceCase test = DeviceCase.of(line, 7);
    Map<String, double[]> expected = CpuRun.run(test.graph(), test.contents(), 1, MatmulKind.JAVA);
    try (Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        PoisonedRun run = new PoisonedRun(cpu, test.graph())) {
      for (float filling : new float[] {Float.NaN, 3e30f}) {
        Map<String, double[]> found = run.run(test.contents(), filling);
        for (int i = 0; i < test.outputs(); i++) {
          String output = DeviceCase.output(i);
          assertThat(Contents.at(found, output)).isEqualTo(Contents.at(expected, output));
        }
      }
    }
  }

  @Test
  void roundsToTheNearestEvenBf16Number() {
    assertThat(DeviceCase.rounded(1 + 0x1.0p-8)).isEqualTo(1);
    assertThat(DeviceCase.rounded(1 + 0x1.8p-8)).isEqualTo(1 + 0x1.0p-7);
    assertThat(DeviceCase.rounded(1 + 0x1.8p-7)).isEqualTo(1 + 0x1.0p-6);
    assertThat(DeviceCase.rounded(-3.0)).isEqualTo(-3);
    assertThat(DeviceCase.rounded(Double.NaN)).isNaN();
  }
}
