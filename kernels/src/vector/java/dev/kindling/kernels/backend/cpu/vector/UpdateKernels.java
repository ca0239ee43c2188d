package dev.kindling.kernels.backend.cpu.vector;

/**
 * Optimizer updates over elements [from, to). A {@code scale} of exactly 0 leaves everything
 * unchanged.
 */
public interface UpdateKernels {
  /**
   * AdamW with decoupled decay: g = scale * grad, m = m + (1 - beta1)(g - m), v = v + (1 -
   * beta2)(g^2 - v), p = p (1 - rate * decay) - (rate / c1) m / (sqrt(v) / sqrt(c2) + eps), with c
   * = 1 - beta^step. After Loshchilov and Hutter 2019 (1711.05101); eps > 0.
   */
  void adamW(
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
      int to);

  /**
   * SGD: g = scale * grad + decay * p, buffer = momentum * buffer + g, p -= rate * (nesterov ? g +
   * momentum * buffer : buffer). With momentum 0 the buffer is neither read nor written and any
   * operand may stand for it.
   */
  void sgd(
      Operand param,
      Operand grad,
      Operand buffer,
      float scale,
      float rate,
      float momentum,
      float decay,
      boolean nesterov,
      int from,
      int to);

  /**
   * Outer step: d = anchor - live, u = arrived, v = gain u, momentum = clip(beta momentum + v),
   * anchor -= rate clip(nesterov ? beta momentum + v : momentum), live = anchor. No fused
   * multiply-add, so that a device without one has the same bits. With {@code departs} d is written
   * over {@code payload}.
   */
  void outer(
      Operand anchor,
      Operand momentum,
      Operand live,
      Operand payload,
      OuterNumbers numbers,
      boolean departs,
      int from,
      int to);

  /** As above with u = share d + (payload - share kept); d is written over payload and kept. */
  void outerOwn(
      Operand anchor,
      Operand momentum,
      Operand live,
      Operand payload,
      Operand kept,
      OuterNumbers numbers,
      int from,
      int to);
}
