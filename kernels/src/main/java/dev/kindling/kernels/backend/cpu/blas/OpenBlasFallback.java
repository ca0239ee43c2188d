package dev.kindling.kernels.backend.cpu.blas;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** OpenBLAS if it loads, else pure Java and one warning. */
final class OpenBlasFallback {
  private static final Logger LOG = LoggerFactory.getLogger(Matmul.class);
  private static final OpenBlasFallback JVM = new OpenBlasFallback(LOG::warn);

  private final AtomicBoolean warned = new AtomicBoolean();
  private final Consumer<String> warning;

  OpenBlasFallback(Consumer<String> warning) {
    this.warning = warning;
  }

  static Matmul open(int threads) {
    return JVM.orJava(threads);
  }

  Matmul orJava(int threads) {
    try {
      return OpenBlasMatmul.open(threads);
    } catch (LinkageError e) {
      if (warned.compareAndSet(false, true)) {
        warning.accept(
            "OpenBLAS does not load, matrix products run in pure Java (several times slower): "
                + e);
      }
      return new JavaMatmul();
    }
  }
}
