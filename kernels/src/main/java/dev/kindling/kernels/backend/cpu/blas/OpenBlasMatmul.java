package dev.kindling.kernels.backend.cpu.blas;

import dev.kindling.kernels.backend.cpu.vector.Operand;
import java.nio.ByteBuffer;
import java.util.function.ToLongFunction;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * Matrix product by OpenBLAS. Fast; its bits depend on the CPU and on the thread count, so they are
 * compared only within one run.
 *
 * <p>The library's thread count is one value for the whole process; {@link #open} sets it. A call
 * allocates nothing: each thread owns three native pointers that are moved onto the operands.
 */
public final class OpenBlasMatmul implements Matmul {
  /**
   * System property; the value {@code missing} makes {@link #open} fail as if the native library
   * were absent.
   */
  static final String LIBRARY_PROPERTY = "kindling.openblas";

  private static final int ROW_MAJOR = 101;
  private static final int PLAIN = 111;
  private static final int TRANSPOSED = 112;

  private final ToLongFunction<ByteBuffer> addressOf = buffer -> new Pointer(buffer).address();
  private final ThreadLocal<Cursors> cursors = ThreadLocal.withInitial(Cursors::new);

  private OpenBlasMatmul() {}

  /**
   * Loads the library and sets its thread count.
   *
   * @throws LinkageError if it cannot be loaded
   */
  static OpenBlasMatmul open(int threads) {
    if ("missing".equals(System.getProperty(LIBRARY_PROPERTY))) {
      throw new UnsatisfiedLinkError(LIBRARY_PROPERTY + "=missing");
    }
    // JavaCPP's own memory limits count the whole JVM and make it call the garbage collector near
    // them.
    setIfAbsent("org.bytedeco.javacpp.maxbytes");
    setIfAbsent("org.bytedeco.javacpp.maxphysicalbytes");
    OpenBlasMatmul matmul = new OpenBlasMatmul();
    openblas_nolapack.blas_set_num_threads(threads);
    return matmul;
  }

  private static void setIfAbsent(String property) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, "0");
    }
  }

  @Override
  public String name() {
    return "openblas";
  }

  @Override
  public boolean reproducible() {
    return false;
  }

  @Override
  public void multiply(
      Form form,
      int m,
      int n,
      int k,
      float alpha,
      Operand a,
      int lda,
      Operand b,
      int ldb,
      float beta,
      Operand c,
      int ldc) {
    Cursors at = cursors.get();
    at.a.move(a.address(addressOf));
    at.b.move(b.address(addressOf));
    at.c.move(c.address(addressOf));
    openblas_nolapack.cblas_sgemm(
        ROW_MAJOR,
        form.transposedA() ? TRANSPOSED : PLAIN,
        form.transposedB() ? TRANSPOSED : PLAIN,
        m,
        n,
        k,
        alpha,
        at.a,
        lda,
        at.b,
        ldb,
        beta,
        at.c,
        ldc);
  }

  private static final class Cursors {
    final Cursor a = new Cursor();
    final Cursor b = new Cursor();
    final Cursor c = new Cursor();
  }

  /** A native pointer that owns nothing and can be moved. */
  private static final class Cursor extends FloatPointer {
    Cursor() {
      super((Pointer) null);
    }

    void move(long to) {
      address = to;
    }
  }
}
