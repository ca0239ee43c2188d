package dev.kindling.worker.plan;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import java.util.function.Consumer;

/** The kind of device that holds a rank's arenas. */
public enum Device {
  CPU,
  /**
   * One NVIDIA GPU per rank; activations, operands of products and gradients that a step writes
   * once in bf16 (see {@link GradientStorage}), the rest in fp32.
   */
  CUDA;

  /**
   * Opens one, for training and for what uses a trained model.
   *
   * @param cpu read for the CPU alone
   * @param gpu ordinal among the GPUs that this process sees; read for a GPU alone, as what follows
   * @param measured whether products are timed and the fastest way is taken, which may be another
   *     one next time; a recorded choice or no timing gives equal bits again
   * @param notices hears, a line each, what takes long
   * @throws dev.kindling.kernels.backend.DeviceException if it is not usable
   */
  public Backend open(CpuOptions cpu, int gpu, boolean measured, Consumer<String> notices) {
    return switch (this) {
      case CPU -> Backend.cpu(cpu);
      case CUDA -> Backend.cuda(new CudaOptions(gpu, Precision.BF16, true, measured), notices);
    };
  }
}
