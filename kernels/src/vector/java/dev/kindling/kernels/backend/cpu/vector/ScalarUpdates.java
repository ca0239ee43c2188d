package dev.kindling.kernels.backend.cpu.vector;

/** Plain Java {@link UpdateKernels}. */
public final class ScalarUpdates implements UpdateKernels {
  @Override
  public void adamW(
      Operand param,
      Operand grad,
      Operand m,
      Operand v,
      float scale,
      float rate,
      float beta1,
      float beta2,
      float eps,
      float decay,
      float c1,
      float c2,
      int from,
      int to) {
    if (scale == 0f) {
      return;
    }
    float keep = 1f - rate * decay;
    float stepSize = rate / c1;
    float rootScale = (float) (1.0 / Math.sqrt(c2));
    for (int i = from; i < to; i++) {
      float g = scale * grad.get(i);
      float mNew = Math.fma(1f - beta1, g - m.get(i), m.get(i));
      float vNew = Math.fma(1f - beta2, Math.fma(g, g, -v.get(i)), v.get(i));
      m.set(i, mNew);
      v.set(i, vNew);
      float root = Math.fma((float) Math.sqrt(vNew), rootScale, eps);
      param.set(i, Math.fma(param.get(i), keep, -(stepSize * mNew / root)));
    }
  }

  @Override
  public void sgd(
      Operand param,
      Operand grad,
      Operand buffer,
      float scale,
      float rate,
      float momentum,
      float decay,
      boolean nesterov,
      int from,
      int to) {
    if (scale == 0f) {
      return;
    }
    for (int i = from; i < to; i++) {
      float p = param.get(i);
      float g = Math.fma(scale, grad.get(i), decay * p);
      if (momentum != 0f) {
        float b = Math.fma(momentum, buffer.get(i), g);
        buffer.set(i, b);
        g = nesterov ? Math.fma(momentum, b, g) : b;
      }
      param.set(i, Math.fma(-rate, g, p));
    }
  }
}
