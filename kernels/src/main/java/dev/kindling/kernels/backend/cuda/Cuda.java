package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import jcuda.CudaException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/** Turns return codes of the driver into exceptions. */
final class Cuda {
  private Cuda() {}

  /**
   * @param call what was called, with its arguments as far as they tell something
   * @throws DeviceException if the code is not CUDA_SUCCESS
   */
  static void check(int code, String call) {
    if (code != CUresult.CUDA_SUCCESS) {
      throw new DeviceException(
          "cuda: " + call + ": " + CUresult.stringFor(code) + " (" + code + ")");
    }
  }

  /**
   * Loads the driver bindings once; afterwards codes come back instead of JCuda's exceptions.
   *
   * @throws DeviceException if the driver library or the bindings are missing
   */
  static void initialize() {
    try {
      JCudaDriver.setExceptionsEnabled(false);
      check(JCudaDriver.cuInit(0), "cuInit");
    } catch (CudaException | LinkageError missing) {
      throw new DeviceException(
          "cuda: the driver API cannot be loaded; expected libcuda.so.1 of an NVIDIA driver and the"
              + " jcuda jars on the class path, found "
              + missing,
          missing);
    }
  }
}
