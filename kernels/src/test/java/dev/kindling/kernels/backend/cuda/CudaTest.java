package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import org.junit.jupiter.api.Test;

class CudaTest {
  @Test
  void codesOfTheDriverBecomeExceptionsThatNameTheCall() {
    assertThatCode(() -> Cuda.check(0, "cuMemAlloc 8")).doesNotThrowAnyException();
    assertThatThrownBy(() -> Cuda.check(2, "cuMemAlloc 8"))
        .isInstanceOf(DeviceException.class)
        .hasMessage("cuda: cuMemAlloc 8: CUDA_ERROR_OUT_OF_MEMORY (2)");
  }

  @Test
  void aMachineWithoutADriverIsToldWhatIsMissing() {
    try {
      Cuda.initialize();
    } catch (DeviceException refused) {
      assertThat(refused).hasMessageStartingWith("cuda: ").hasMessageContaining("expected ");
      assertThat(String.valueOf(refused.getMessage()).lines()).hasSize(1);
      // A class whose initialisation failed says something else when it is asked again.
      assertThatThrownBy(Cuda::initialize).isInstanceOf(DeviceException.class);
    }
  }
}
