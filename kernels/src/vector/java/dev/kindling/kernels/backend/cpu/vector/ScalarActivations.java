package dev.kindling.kernels.backend.cpu.vector;

/** Plain Java {@link ActivationKernels}. */
public final class ScalarActivations implements ActivationKernels {
  @Override
  public void swiGlu(Operand gate, Operand up, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      float g = gate.get(i);
      y.set(i, g * ScalarMath.sigmoid(g) * up.get(i));
    }
  }

  @Override
  public void swiGluBackward(
      Operand dy, Operand gate, Operand up, Operand dgate, Operand dup, int from, int to) {
    for (int i = from; i < to; i++) {
      float d = dy.get(i);
      float g = gate.get(i);
      float u = up.get(i);
      float s = ScalarMath.sigmoid(g);
      dgate.set(i, d * u * s * Math.fma(g, 1f - s, 1f));
      dup.set(i, d * (g * s));
    }
  }

  @Override
  public void gelu(Operand x, Operand y, int from, int to) {
    for (int i = from; i < to; i++) {
      y.set(i, ScalarMath.gelu(x.get(i)));
    }
  }

  @Override
  public void geluBackward(Operand dy, Operand x, Operand dx, int from, int to) {
    for (int i = from; i < to; i++) {
      dx.set(i, ScalarMath.geluGradient(dy.get(i), x.get(i)));
    }
  }
}
