package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StopSwitchTest {
  private static AttemptFailedException failure(FailureKind kind) {
    return new AttemptFailedException(kind, 0, "scripted", null);
  }

  @ParameterizedTest
  @EnumSource
  void withoutASignalAFailureHasItsOwnCode(FailureKind kind) {
    StopSwitch stop = new StopSwitch(notice -> {});
    assertThat(stop.exitCodeAfter(failure(kind))).isEqualTo(kind.exitCode());
  }

  @ParameterizedTest
  @EnumSource
  void afterASignalOnlyWhatNoRetryCanMendKeepsItsCode(FailureKind kind) {
    StopSwitch stop = new StopSwitch(notice -> {});
    assertThat(stop.take(StopSwitch.TERM)).isTrue();
    assertThat(stop.exitCodeAfter(failure(kind)))
        .isEqualTo(kind.retryable() ? 143 : kind.exitCode());
  }

  @Test
  void theFirstSignalCounts() {
    StopSwitch stop = new StopSwitch(notice -> {});
    assertThat(stop.exitCode()).isZero();
    stop.take(StopSwitch.TERM);
    assertThat(stop.take(StopSwitch.INT)).isFalse();
    assertThat(stop.exitCode()).isEqualTo(143);
  }
}
