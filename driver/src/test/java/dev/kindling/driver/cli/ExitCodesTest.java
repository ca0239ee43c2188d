package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import org.junit.jupiter.api.Test;

class ExitCodesTest {
  @Test
  void failuresBecomeTheExitCodesOfTheContract() {
    assertThat(ExitCodes.of(new PlanException("x"))).isEqualTo(2);
    assertThat(ExitCodes.of(new DataException("x"))).isEqualTo(3);
    assertThat(ExitCodes.of(new DeviceException("x"))).isEqualTo(5);
    assertThat(ExitCodes.of(new CollectiveException("x"))).isEqualTo(6);
    assertThat(ExitCodes.of(new InterruptedException())).isEqualTo(130);
    assertThat(ExitCodes.of(new IllegalStateException())).isEqualTo(1);
    for (FailureKind kind : FailureKind.values()) {
      assertThat(ExitCodes.of(new AttemptFailedException(kind, 0, "x", null)))
          .isEqualTo(kind.exitCode());
    }
  }
}
