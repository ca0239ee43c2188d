package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.cpu.blas.Form;
import dev.kindling.kernels.backend.cpu.blas.Matmul;
import dev.kindling.kernels.backend.cpu.vector.Operand;

/**
 * One matrix product C = op(A) op(B) + beta C with dense rows, cut over the threads along the
 * longer side of C. Each thread calls the single-threaded product on its part: ranks that are
 * threads of one JVM would otherwise share the library's one pool.
 */
final class Product implements Runnable {
  /** Cuts fall on multiples of this, so that parts keep whole vectors. */
  private static final int GRAIN = 16;

  /** Multiply-adds below which a second thread costs more than it brings. */
  private static final long SMALL = 1L << 16;

  private final Matmul matmul;
  private final Workers workers;
  private final Form form;
  private final int k;
  private final int lda;
  private final int ldb;
  private final int ldc;
  private final float beta;
  private final Part[] parts;
  private final Workers.Task task = this::part;

  /** Which rows or columns of C one thread computes. */
  private record Part(int m, int n, Operand a, Operand b, Operand c) {}

  Product(Binding binding, Form form, int m, int n, int k, float beta, Operand[] abc) {
    this.matmul = binding.matmul();
    this.workers = binding.workers();
    this.form = form;
    this.k = k;
    this.beta = beta;
    this.lda = form.transposedA() ? m : k;
    this.ldb = form.transposedB() ? k : n;
    this.ldc = n;
    boolean small = (long) m * n * k < SMALL;
    int grains = (Math.max(m, n) + GRAIN - 1) / GRAIN;
    int count = small ? 1 : Math.min(workers.count(), grains);
    parts = new Part[count];
    for (int i = 0; i < count; i++) {
      int from = Math.min(Math.max(m, n), (int) ((long) grains * i / count) * GRAIN);
      int to = Math.min(Math.max(m, n), (int) ((long) grains * (i + 1) / count) * GRAIN);
      parts[i] = m >= n ? rows(from, to, n, abc) : columns(from, to, m, abc);
    }
  }

  private Part rows(int from, int to, int n, Operand[] abc) {
    Operand a = abc[0].plus(form.transposedA() ? from : from * lda);
    return new Part(to - from, n, a, abc[1], abc[2].plus(from * ldc));
  }

  private Part columns(int from, int to, int m, Operand[] abc) {
    Operand b = abc[1].plus(form.transposedB() ? from * ldb : from);
    return new Part(m, to - from, abc[0], b, abc[2].plus(from));
  }

  @Override
  public void run() {
    workers.run(task, parts.length, 1);
  }

  private void part(int from, int to, int worker) {
    for (int i = from; i < to; i++) {
      Part part = parts[i];
      matmul.multiply(form, part.m, part.n, k, 1f, part.a, lda, part.b, ldb, beta, part.c, ldc);
    }
  }
}
