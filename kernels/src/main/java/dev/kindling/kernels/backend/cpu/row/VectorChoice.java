package dev.kindling.kernels.backend.cpu.row;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Made once per JVM, so that the warning comes once. */
final class VectorChoice {
  private static final String MODULE = "jdk.incubator.vector";
  private static final Logger LOG = LoggerFactory.getLogger(RowKernels.class);
  private static final RowKernels KERNELS = choose();

  private VectorChoice() {}

  static RowKernels kernels() {
    return KERNELS;
  }

  private static RowKernels choose() {
    if (ModuleLayer.boot().findModule(MODULE).isPresent()) {
      return RowKernels.vector();
    }
    LOG.warn(
        "JVM started without --add-modules={}: row kernels run in plain Java, several times slower"
            + " with the same bits",
        MODULE);
    return RowKernels.scalar();
  }
}
