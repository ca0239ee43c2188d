package dev.kindling.kernels.backend.cuda.image;

import java.util.List;

/** Turns kernel sources into what the driver loads. Called from several threads at a time. */
public interface KernelCompiler {
  /** Name and version: images of another compiler are not taken for this one's. */
  String identity();

  /**
   * @param options as on NVRTC's command line
   * @return machine code or PTX
   * @throws dev.kindling.kernels.backend.DeviceException with the compiler's words if it refuses
   */
  byte[] compile(KernelSource source, List<String> options);
}
