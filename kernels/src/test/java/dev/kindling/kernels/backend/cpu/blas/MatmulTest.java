package dev.kindling.kernels.backend.cpu.blas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kindling.kernels.backend.cpu.row.RowKernels;
import dev.kindling.kernels.backend.cpu.vector.Operand;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MatmulTest {
  private static final long SEED = Long.getLong("seed", 7L);
  private final Random random = new Random(SEED);

  private Operand floats(int count) {
    Operand x =
        new Operand(ByteBuffer.allocateDirect((count + 3) * 4).order(ByteOrder.LITTLE_ENDIAN), 3);
    for (int i = 0; i < count; i++) {
      x.set(i, (float) random.nextGaussian());
    }
    return x;
  }

  private static Operand copy(Operand x) {
    ByteBuffer to = ByteBuffer.allocateDirect(x.buffer().capacity()).order(ByteOrder.LITTLE_ENDIAN);
    to.put(0, x.buffer(), 0, x.buffer().capacity());
    return new Operand(to, x.at());
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1, 1",
    "1, 7, 13",
    "4, 32, 5",
    "5, 33, 64",
    "17, 3, 100",
    "64, 64, 32",
    "258, 70, 20",
    "31, 65, 1030"
  })
  void productsOfAllFormsMatchDoubles(int m, int n, int k) {
    for (Form form : Form.values()) {
      for (float beta : new float[] {0f, 1f, 0.5f}) {
        check(form, m, n, k, beta);
      }
    }
  }

  private void check(Form form, int m, int n, int k, float beta) {
    int lda = (form.transposedA() ? m : k) + 2;
    int ldb = (form.transposedB() ? k : n) + 1;
    int ldc = n + 3;
    Operand a = floats((form.transposedA() ? k : m) * lda);
    Operand b = floats((form.transposedB() ? n : k) * ldb);
    Operand c = floats(m * ldc);
    if (beta == 0f) {
      c.set(0, Float.NaN);
    }
    Operand vector = copy(c);
    Operand scalar = copy(c);
    Operand blas = copy(c);
    new JavaMatmul(RowKernels.vector().tile())
        .multiply(form, m, n, k, 0.7f, a, lda, b, ldb, beta, vector, ldc);
    new JavaMatmul(RowKernels.scalar().tile())
        .multiply(form, m, n, k, 0.7f, a, lda, b, ldb, beta, scalar, ldc);
    OpenBlasMatmul.open(1).multiply(form, m, n, k, 0.7f, a, lda, b, ldb, beta, blas, ldc);
    // Worst case of a chain of k roundings of partial sums of about sqrt(k).
    double tolerance = 4 * 0x1p-24 * k * 4 + 1e-6;
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < ldc; j++) {
        int at = i * ldc + j;
        String what = form + " " + m + "x" + n + "x" + k + " (" + i + "," + j + ") seed " + SEED;
        assertThat(Float.floatToRawIntBits(vector.get(at)))
            .as(what)
            .isEqualTo(Float.floatToRawIntBits(scalar.get(at)));
        if (j >= n) {
          assertThat(vector.get(at)).as("beyond the row, " + what).isEqualTo(c.get(at));
        } else {
          double expected = beta == 0f ? 0 : beta * (double) c.get(at);
          for (int p = 0; p < k; p++) {
            float x = form.transposedA() ? a.get(p * lda + i) : a.get(i * lda + p);
            float y = form.transposedB() ? b.get(j * ldb + p) : b.get(p * ldb + j);
            expected += 0.7f * (double) x * y;
          }
          assertThat((double) vector.get(at)).as(what).isCloseTo(expected, within(tolerance));
          assertThat((double) blas.get(at)).as(what).isCloseTo(expected, within(tolerance));
        }
      }
    }
  }

  @Test
  void pureJavaGivesTheSameBitsWhenRowsAreSplit() {
    int m = 37;
    int n = 40;
    int k = 600;
    Operand a = floats(m * k);
    Operand b = floats(n * k);
    Operand whole = floats(m * n);
    Operand parts = floats(m * n);
    Matmul java = Matmul.pureJava();
    java.multiply(Form.NT, m, n, k, 1f, a, k, b, k, 0f, whole, n);
    java.multiply(Form.NT, 10, n, k, 1f, a, k, b, k, 0f, parts, n);
    java.multiply(Form.NT, m - 10, n, k, 1f, a.plus(10 * k), k, b, k, 0f, parts.plus(10 * n), n);
    for (int i = 0; i < m * n; i++) {
      assertThat(Float.floatToRawIntBits(parts.get(i)))
          .isEqualTo(Float.floatToRawIntBits(whole.get(i)));
    }
  }

  @Test
  void aMissingLibraryGivesPureJavaAndOneWarningWithItsReason() {
    List<String> warnings = new ArrayList<>();
    OpenBlasFallback fallback = new OpenBlasFallback(warnings::add);
    System.setProperty(OpenBlasMatmul.LIBRARY_PROPERTY, "missing");
    try {
      assertThat(fallback.orJava(1).name()).isEqualTo("java");
      assertThat(fallback.orJava(1).name()).isEqualTo("java");
    } finally {
      System.clearProperty(OpenBlasMatmul.LIBRARY_PROPERTY);
    }
    assertThat(warnings).singleElement().asString().contains("kindling.openblas=missing");
    assertThat(fallback.orJava(1).name()).isEqualTo("openblas");
  }
}
