package dev.kindling.kernels.backend.cpu.row;

import dev.kindling.kernels.backend.cpu.vector.ActivationKernels;
import dev.kindling.kernels.backend.cpu.vector.AttentionKernels;
import dev.kindling.kernels.backend.cpu.vector.ElementKernels;
import dev.kindling.kernels.backend.cpu.vector.LossKernels;
import dev.kindling.kernels.backend.cpu.vector.NormKernels;
import dev.kindling.kernels.backend.cpu.vector.ScalarActivations;
import dev.kindling.kernels.backend.cpu.vector.ScalarAttention;
import dev.kindling.kernels.backend.cpu.vector.ScalarElements;
import dev.kindling.kernels.backend.cpu.vector.ScalarLosses;
import dev.kindling.kernels.backend.cpu.vector.ScalarNorms;
import dev.kindling.kernels.backend.cpu.vector.ScalarUpdates;
import dev.kindling.kernels.backend.cpu.vector.UpdateKernels;

/** One flavour of all row kernels. Both flavours give the same bits. */
public record RowKernels(
    String name,
    ElementKernels elements,
    NormKernels norms,
    AttentionKernels attention,
    ActivationKernels activations,
    LossKernels losses,
    UpdateKernels updates) {

  /** The fastest flavour that this JVM can load. */
  public static RowKernels best() {
    return scalar();
  }

  /** Plain Java: slower, needs no module, oracle of the tests. */
  public static RowKernels scalar() {
    return new RowKernels(
        "scalar",
        new ScalarElements(),
        new ScalarNorms(),
        new ScalarAttention(),
        new ScalarActivations(),
        new ScalarLosses(),
        new ScalarUpdates());
  }
}
