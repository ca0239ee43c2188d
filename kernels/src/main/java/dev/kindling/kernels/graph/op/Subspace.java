package dev.kindling.kernels.graph.op;

import dev.kindling.kernels.graph.Channels;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.random.Philox;
import java.util.List;

/**
 * The singular vectors of a gradient that belong to its largest singular values, made anew now and
 * then. Inputs gradient [rows, columns], basis [m, rank], age [1], scale [1] -> basis and age over
 * theirs, and the basis as products read it. m is the shorter side, the contracted one of {@link
 * Channels}; column k of the basis belongs to the k-th largest value.
 *
 * <pre>
 * where scale is not 0 and age is below 1 or at least interval:
 *   A = scale^2 G G' + s,  s = trace / m / 10^6
 *   Q = start;  iterations times: Q = orthonormal(A Q);  Q = orthonormal(Q);  age = 1
 * where scale is not 0 otherwise:  age = age + 1
 * </pre>
 *
 * <p>G is turned so that it has m rows. {@link #start} is the same for every matrix and every
 * drawing; each column points to the side of its start, so that a basis that hardly turns keeps its
 * signs. orthonormal() is the Q of Q R with a positive diagonal, by Cholesky's factor of Q' Q in
 * fp64 (a pivot below 1e-14 of what it was is raised to that), which keeps the order of the
 * columns: column k converges as (value k+1 / value k)^(2 iterations), the subspace as the gap
 * behind its last value. The shift s fills the basis up where the gradient has fewer values than
 * that; a gradient of zeros yields the start, made orthonormal. A scale of 0 leaves basis and age
 * as they are.
 *
 * <p>On the CPU all of it is fp64. On a GPU A, Q and A Q are fp32, every sum in a fixed order, and
 * all kernels are launched in each step but return at once where nothing is due. A value below a
 * thousandth of the largest drowns in the rounding of A there. Bit-reproducible on one device kind.
 *
 * <p>After Zhao et al. 2024 (2403.03507), algorithm 2, with the orthogonal iteration of Golub and
 * Van Loan (Matrix Computations, section 8.2) in place of a singular value decomposition and the
 * Cholesky QR of Fukaya et al. 2020 (1809.11085).
 *
 * @param rank columns of the basis, at most m
 * @param interval updates with the same basis
 * @param key stream of the start
 */
public record Subspace(Channels channels, int rank, int interval, int iterations, long key)
    implements Op {
  /** Of the mean eigenvalue of A: what is added to each. */
  public static final float SHIFT = 1e-6f;

  /** What is added where the gradient is zero. */
  public static final float LEAST_SHIFT = 1e-30f;

  /** Of the length of a column before the ones in front of it were taken away. */
  public static final double LEAST_PIVOT = 1e-14;

  private static final float UNIT31 = 0x1.0p-31f;

  /** Element {@code i} of the start, row by row: uniform in [-1, 1], from 32 bits. */
  public static float start(long key, long i) {
    return (int) Philox.word(key, i) * UNIT31;
  }

  @Override
  public List<ValueType> infer(List<ValueType> inputs) {
    Expect.count(this, inputs, 4);
    int shorter = channels.contracted();
    Expect.that(channels.pieces() == 1, this, "expected a whole matrix");
    Expect.that(rank > 0 && rank <= shorter, this, "expected a rank of 1 to " + shorter);
    Expect.that(interval > 0 && iterations > 0, this, "expected interval, iterations above 0");
    ValueType basis = ValueType.f32(shorter, rank);
    Expect.same(this, 0, channels.kept(), inputs.get(0));
    Expect.same(this, 1, basis, inputs.get(1));
    Expect.f32(this, inputs, 2, 1);
    Expect.f32(this, inputs, 3, 1);
    return List.of(basis, inputs.get(2), basis);
  }

  @Override
  public int alias(int output) {
    return output < 2 ? output + 1 : OWN_MEMORY;
  }
}
