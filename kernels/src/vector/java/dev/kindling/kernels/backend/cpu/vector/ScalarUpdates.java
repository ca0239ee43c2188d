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

  @Override
  public void outer(
      Operand anchor,
      Operand momentum,
      Operand live,
      Operand payload,
      OuterNumbers numbers,
      boolean departs,
      int from,
      int to) {
    for (int i = from; i < to; i++) {
      float d = anchor.get(i) - live.get(i);
      outer(anchor, momentum, live, payload.get(i), numbers, i);
      if (departs) {
        payload.set(i, d);
      }
    }
  }

  @Override
  public void outerOwn(
      Operand anchor,
      Operand momentum,
      Operand live,
      Operand payload,
      Operand kept,
      OuterNumbers numbers,
      int from,
      int to) {
    for (int i = from; i < to; i++) {
      float d = anchor.get(i) - live.get(i);
      float others = payload.get(i) - numbers.share() * kept.get(i);
      outer(anchor, momentum, live, numbers.share() * d + others, numbers, i);
      payload.set(i, d);
      kept.set(i, d);
    }
  }

  private static void outer(
      Operand anchor, Operand momentum, Operand live, float u, OuterNumbers numbers, int i) {
    float v = numbers.gain() * u;
    float m = clip(numbers.momentum() * momentum.get(i) + v, numbers.momentumLimit());
    float step = numbers.nesterov() ? numbers.momentum() * m + v : m;
    float x = anchor.get(i) - numbers.rate() * clip(step, numbers.stepLimit());
    momentum.set(i, m);
    anchor.set(i, x);
    live.set(i, x);
  }

  /** Comparisons, not a minimum: what is not a number stays so on every device. */
  private static float clip(float value, float limit) {
    return value > limit ? limit : value < -limit ? -limit : value;
  }
}
