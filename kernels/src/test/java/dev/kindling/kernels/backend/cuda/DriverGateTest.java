package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import jcuda.driver.CUresult;
import org.junit.jupiter.api.Test;

class DriverGateTest {
  @Test
  void aDriverThatIsNewEnoughAndInitialisedIsUsed() {
    assertThat(DriverGate.refusal(CUresult.CUDA_SUCCESS, 13_000, "")).isEmpty();
    assertThat(DriverGate.refusal(CUresult.CUDA_SUCCESS, 14_020, "0,1")).isEmpty();
  }

  @Test
  void anOlderDriverIsNamedWithWhatIsExpected() {
    assertThat(DriverGate.refusal(CUresult.CUDA_SUCCESS, 12_080, ""))
        .isEqualTo(
            "expected a driver for CUDA 13.0 or newer (R580), found one for CUDA 12.8; update the"
                + " NVIDIA driver");
    // What an old driver says about devices does not matter any more.
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_NO_DEVICE, 12_000, ""))
        .contains("found one for CUDA 12.0");
  }

  @Test
  void noDeviceNamesTheVariableThatHidesThem() {
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_NO_DEVICE, 13_000, "7"))
        .isEqualTo("expected a GPU, found none among CUDA_VISIBLE_DEVICES=7");
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_NO_DEVICE, 13_000, ""))
        .contains("found none; nvidia-smi");
  }

  @Test
  void brokenInstallationsGetTheirMendAndOthersTheirCode() {
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, 13_000, ""))
        .contains("reboot");
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_UNKNOWN, 13_000, "")).contains("nvidia-uvm");
    assertThat(DriverGate.refusal(CUresult.CUDA_ERROR_OUT_OF_MEMORY, 13_000, ""))
        .isEqualTo("cuInit: CUDA_ERROR_OUT_OF_MEMORY (2)");
  }

  @Test
  void devicesBeforeAmpereAreRefused() {
    assertThat(DriverGate.refusal(80, "NVIDIA A100")).isEmpty();
    assertThat(DriverGate.refusal(75, "NVIDIA T4"))
        .isEqualTo("expected a GPU of compute capability 8.0 or newer, found 7.5 (NVIDIA T4)");
  }

  @Test
  void versionsReadAsPeopleWriteThem() {
    assertThat(DriverGate.shown(13_010)).isEqualTo("13.1");
    assertThat(DriverGate.shown(12_000)).isEqualTo("12.0");
  }
}
