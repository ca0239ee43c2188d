package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.image.MissingLibrary;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Turns return codes of the driver into exceptions. */
final class Cuda {
  /** Counted for benchmarks; threads may lose some of each other's. */
  private static long calls;

  private Cuda() {}

  /** Calls of the driver that were checked so far. */
  static long calls() {
    return calls;
  }

  /**
   * @param call what was called, with its arguments as far as they tell something
   * @throws DeviceException if the code is not CUDA_SUCCESS
   */
  static void check(int code, String call) {
    calls++;
    if (code != CUresult.CUDA_SUCCESS) {
      throw new DeviceException(
          "cuda: " + call + ": " + CUresult.stringFor(code) + " (" + code + ")");
    }
  }

  /**
   * Loads the driver bindings once; afterwards codes come back instead of JCuda's exceptions.
   *
   * @throws DeviceException if the driver library or the bindings are missing, or the driver cannot
   *     run what this build ships
   */
  static void initialize() {
    int[] version = new int[1];
    int code;
    try {
      JcudaLibrary.load();
      check(JCudaDriver.cuDriverGetVersion(version), "cuDriverGetVersion");
      code = JCudaDriver.cuInit(0);
    } catch (CudaException | LinkageError missing) {
      if (missing.getCause() instanceof ClassNotFoundException) {
        throw missing; // No jar of the bindings: whoever chose this backend knows what to say.
      }
      throw new DeviceException(
          "cuda: the driver cannot be loaded; expected libcuda.so.1 of an NVIDIA driver, found: "
              + MissingLibrary.reason(missing),
          missing);
    }
    String refusal =
        DriverGate.refusal(
            code, version[0], System.getenv().getOrDefault("CUDA_VISIBLE_DEVICES", ""));
    if (!refusal.isEmpty()) {
      throw new DeviceException("cuda: " + refusal);
    }
  }
}
