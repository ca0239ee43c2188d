package dev.kindling.kernels.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** {@link ScalarMath} on vectors, operation by operation. */
final class VectorMath {
  private VectorMath() {}

  static FloatVector exp(FloatVector x) {
    FloatVector shifted = x.fma(splat(ScalarMath.LOG2_E), splat(ScalarMath.MAGIC));
    FloatVector n = shifted.sub(ScalarMath.MAGIC);
    FloatVector r = n.fma(splat(-ScalarMath.LN2_HIGH), x);
    r = n.fma(splat(-ScalarMath.LN2_LOW), r);
    FloatVector p = r.fma(splat(ScalarMath.E6), splat(ScalarMath.E5));
    p = p.fma(r, splat(ScalarMath.E4));
    p = p.fma(r, splat(ScalarMath.E3));
    p = p.fma(r, splat(ScalarMath.E2));
    p = p.fma(r, splat(1f));
    p = p.fma(r, splat(1f));
    IntVector exponent = shifted.reinterpretAsInts().sub(ScalarMath.MAGIC_BITS);
    IntVector half = exponent.lanewise(VectorOperators.ASHR, 1);
    FloatVector low = half.add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector high =
        exponent.sub(half).add(127).lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats();
    FloatVector y = p.mul(low).mul(high);
    y = y.blend(0f, x.compare(VectorOperators.LT, ScalarMath.EXP_UNDERFLOW));
    return y.blend(
        Float.POSITIVE_INFINITY, x.compare(VectorOperators.GT, ScalarMath.EXP_OVERFLOW));
  }

  static FloatVector sigmoid(FloatVector x) {
    FloatVector one = splat(1f);
    return one.div(one.add(exp(x.neg())));
  }

  static FloatVector tanh(FloatVector x) {
    FloatVector one = splat(1f);
    FloatVector a = x.abs();
    FloatVector z = x.mul(x);
    FloatVector p = z.fma(splat(ScalarMath.T11), splat(ScalarMath.T9));
    p = p.fma(z, splat(ScalarMath.T7));
    p = p.fma(z, splat(ScalarMath.T5));
    p = p.fma(z, splat(ScalarMath.T3));
    FloatVector small = x.mul(z).fma(p, x);
    FloatVector large = one.sub(splat(2f).div(one.add(exp(a.add(a)))));
    IntVector bits =
        large
            .blend(small, a.compare(VectorOperators.LT, ScalarMath.TANH_SMALL))
            .reinterpretAsInts();
    IntVector sign = x.reinterpretAsInts().and(Integer.MIN_VALUE);
    return bits.and(Integer.MAX_VALUE).or(sign).reinterpretAsFloats();
  }

  static FloatVector geluArgument(FloatVector x) {
    return x.mul(ScalarMath.GELU_TWICE)
        .mul(x.mul(ScalarMath.GELU_CUBIC).fma(x, splat(1f)));
  }

  static FloatVector geluGradient(FloatVector dy, FloatVector x) {
    FloatVector one = splat(1f);
    FloatVector s = sigmoid(geluArgument(x));
    FloatVector slope =
        x.mul(3f * ScalarMath.GELU_CUBIC).fma(x, one).mul(ScalarMath.GELU_TWICE);
    return dy.mul(x.mul(s).mul(one.sub(s)).fma(slope, s));
  }

  static FloatVector splat(float value) {
    return FloatVector.broadcast(Lanes.SPECIES, value);
  }
}
