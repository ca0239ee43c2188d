package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** {@link ScalarMath} on vectors, operation by operation. */
final class VectorMath {
  private VectorMath() {}

  static FloatVector exp(FloatVector x) {
    FloatVector shifted =
        x.fma(
            FloatVector.broadcast(SPECIES, ScalarMath.LOG2_E),
            FloatVector.broadcast(SPECIES, ScalarMath.MAGIC));
    FloatVector n = shifted.sub(ScalarMath.MAGIC);
    FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -ScalarMath.LN2_HIGH), x);
    r = n.fma(FloatVector.broadcast(SPECIES, -ScalarMath.LN2_LOW), r);
    FloatVector p =
        r.fma(
            FloatVector.broadcast(SPECIES, ScalarMath.E6),
            FloatVector.broadcast(SPECIES, ScalarMath.E5));
    p = p.fma(r, FloatVector.broadcast(SPECIES, ScalarMath.E4));
    p = p.fma(r, FloatVector.broadcast(SPECIES, ScalarMath.E3));
    p = p.fma(r, FloatVector.broadcast(SPECIES, ScalarMath.E2));
    p = p.fma(r, FloatVector.broadcast(SPECIES, 1f));
    p = p.fma(r, FloatVector.broadcast(SPECIES, 1f));
    IntVector exponent = shifted.reinterpretAsInts().sub(ScalarMath.MAGIC_BITS);
    IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
    FloatVector low = half.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector high =
        exponent.sub(half).add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector y = p.mul(low).mul(high);
    y = y.blend(0f, x.compare(VectorOperators.LT, ScalarMath.EXP_UNDERFLOW));
    return y.blend(Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, ScalarMath.EXP_OVERFLOW));
  }

  static FloatVector sigmoid(FloatVector x) {
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    return one.div(one.add(exp(x.neg())));
  }

  static FloatVector tanh(FloatVector x) {
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector a = x.abs();
    FloatVector z = x.mul(x);
    FloatVector p =
        z.fma(
            FloatVector.broadcast(SPECIES, ScalarMath.T11),
            FloatVector.broadcast(SPECIES, ScalarMath.T9));
    p = p.fma(z, FloatVector.broadcast(SPECIES, ScalarMath.T7));
    p = p.fma(z, FloatVector.broadcast(SPECIES, ScalarMath.T5));
    p = p.fma(z, FloatVector.broadcast(SPECIES, ScalarMath.T3));
    FloatVector small = x.mul(z).fma(p, x);
    FloatVector large = one.sub(FloatVector.broadcast(SPECIES, 2f).div(one.add(exp(a.add(a)))));
    IntVector bits =
        large
            .blend(small, a.compare(VectorOperators.LT, ScalarMath.TANH_SMALL))
            .reinterpretAsInts();
    IntVector sign = x.reinterpretAsInts().and(Integer.MIN_VALUE);
    return bits.and(Integer.MAX_VALUE).or(sign).reinterpretAsFloats();
  }

  static FloatVector geluArgument(FloatVector x) {
    return x.mul(ScalarMath.GELU_TWICE)
        .mul(x.mul(ScalarMath.GELU_CUBIC).fma(x, FloatVector.broadcast(SPECIES, 1f)));
  }

  static FloatVector geluGradient(FloatVector dy, FloatVector x) {
    FloatVector one = FloatVector.broadcast(SPECIES, 1f);
    FloatVector s = sigmoid(geluArgument(x));
    FloatVector slope = x.mul(3f * ScalarMath.GELU_CUBIC).fma(x, one).mul(ScalarMath.GELU_TWICE);
    return dy.mul(x.mul(s).mul(one.sub(s)).fma(slope, s));
  }
}
