package dev.kindling.kernels.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BusyDeviceExceptionTest {
  private final BusyDeviceException busy = new BusyDeviceException("GPU 0 is busy");

  @Test
  void itIsFoundAmongCausesAndSuppressedFailures() {
    CollectiveException failure = new CollectiveException("a peer is gone");
    Exception wrapped = new IllegalStateException("rank 0 failed", failure);
    assertThat(BusyDeviceException.in(wrapped)).isFalse();
    failure.addSuppressed(new DeviceException("cuda: cuEventDestroy"));
    assertThat(BusyDeviceException.in(wrapped)).isFalse();
    failure.addSuppressed(busy);
    assertThat(BusyDeviceException.in(wrapped)).isTrue();
    assertThat(BusyDeviceException.in(busy)).isTrue();
  }
}
