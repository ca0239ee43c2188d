package dev.kindling.kernels.backend.cuda;

import jcuda.driver.CUresult;

/** Whether driver and device can run what this build ships, in words that name the mend. */
final class DriverGate {
  /** CUDA 13: the kernels are compiled with it, and cuBLASLt is taken in its version. */
  static final int DRIVER_VERSION = 13_000;

  /** Ampere: the first with bf16 products and asynchronous copies. */
  static final int CAPABILITY = 80;

  private DriverGate() {}

  /**
   * @param init what cuInit returned
   * @param version what cuDriverGetVersion said: 1000 x major + 10 x minor
   * @param visible value of CUDA_VISIBLE_DEVICES, empty if unset
   * @return why the driver cannot be used, empty if it can
   */
  static String refusal(int init, int version, String visible) {
    if (version > 0 && version < DRIVER_VERSION) {
      return "expected a driver for CUDA 13.0 or newer (R580), found one for CUDA "
          + shown(version)
          + "; update the NVIDIA driver";
    }
    return switch (init) {
      case CUresult.CUDA_SUCCESS -> "";
      case CUresult.CUDA_ERROR_NO_DEVICE ->
          "expected a GPU, found none"
              + (visible.isEmpty()
                  ? "; nvidia-smi and /dev/nvidia* say what this machine or container has"
                  : " among CUDA_VISIBLE_DEVICES=" + visible);
      case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
          "the kernel's driver and libcuda.so.1 are of different versions; reboot after an update, or"
              + " mount the host's libcuda.so.1 into the container";
      case CUresult.CUDA_ERROR_UNKNOWN ->
          "cuInit fails with CUDA_ERROR_UNKNOWN; /dev/nvidia-uvm is often missing: run"
              + " nvidia-modprobe -u -c=0 on the host";
      default -> "cuInit: " + CUresult.stringFor(init) + " (" + init + ")";
    };
  }

  /**
   * @param capability compute capability of the device, for example 90
   * @return why the device cannot be used, empty if it can
   */
  static String refusal(int capability, String device) {
    return capability >= CAPABILITY
        ? ""
        : "expected a GPU of compute capability 8.0 or newer, found %d.%d (%s)"
            .formatted(capability / 10, capability % 10, device);
  }

  /** A version as people write it: 13010 is 13.1. */
  static String shown(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }
}
