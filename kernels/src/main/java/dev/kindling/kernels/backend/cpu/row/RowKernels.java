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
import dev.kindling.kernels.backend.cpu.vector.ScalarTile;
import dev.kindling.kernels.backend.cpu.vector.ScalarUpdates;
import dev.kindling.kernels.backend.cpu.vector.TileKernel;
import dev.kindling.kernels.backend.cpu.vector.UpdateKernels;
import dev.kindling.kernels.backend.cpu.vector.VectorActivations;
import dev.kindling.kernels.backend.cpu.vector.VectorAttention;
import dev.kindling.kernels.backend.cpu.vector.VectorElements;
import dev.kindling.kernels.backend.cpu.vector.VectorLosses;
import dev.kindling.kernels.backend.cpu.vector.VectorNorms;
import dev.kindling.kernels.backend.cpu.vector.VectorTile;
import dev.kindling.kernels.backend.cpu.vector.VectorUpdates;

/** One flavour of all row kernels. Both flavours give the same bits. */
public record RowKernels(
    String name,
    ElementKernels elements,
    NormKernels norms,
    AttentionKernels attention,
    ActivationKernels activations,
    LossKernels losses,
    UpdateKernels updates,
    TileKernel tile) {

  /**
   * Vector kernels if this JVM was started with the incubating module, else plain Java and one
   * warning line per JVM.
   */
  public static RowKernels best() {
    return VectorChoice.kernels();
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
        new ScalarUpdates(),
        new ScalarTile());
  }

  /** Vector API: needs {@code --add-modules=jdk.incubator.vector}. */
  public static RowKernels vector() {
    return new RowKernels(
        "vector",
        new VectorElements(),
        new VectorNorms(),
        new VectorAttention(),
        new VectorActivations(),
        new VectorLosses(),
        new VectorUpdates(),
        new VectorTile());
  }
}
