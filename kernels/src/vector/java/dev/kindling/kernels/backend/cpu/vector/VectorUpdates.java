package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.vectorEnd;

import java.nio.ByteBuffer;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** Vector API {@link UpdateKernels}. */
public final class VectorUpdates implements UpdateKernels {
  private static final ScalarUpdates SCALAR = new ScalarUpdates();

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
    ByteBuffer pb = param.buffer();
    ByteBuffer gb = grad.buffer();
    ByteBuffer mb = m.buffer();
    ByteBuffer vb = v.buffer();
    FloatVector keep = FloatVector.broadcast(SPECIES, 1f - rate * decay);
    FloatVector stepSize = FloatVector.broadcast(SPECIES, rate / c1);
    FloatVector rootScale = FloatVector.broadcast(SPECIES, (float) (1.0 / Math.sqrt(c2)));
    FloatVector floor = FloatVector.broadcast(SPECIES, eps);
    FloatVector fresh1 = FloatVector.broadcast(SPECIES, 1f - beta1);
    FloatVector fresh2 = FloatVector.broadcast(SPECIES, 1f - beta2);
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      FloatVector g = load(gb, grad.at() + i).mul(scale);
      FloatVector mOld = load(mb, m.at() + i);
      FloatVector vOld = load(vb, v.at() + i);
      FloatVector mNew = fresh1.fma(g.sub(mOld), mOld);
      FloatVector vNew = fresh2.fma(g.fma(g, vOld.neg()), vOld);
      store(mNew, mb, m.at() + i);
      store(vNew, vb, v.at() + i);
      FloatVector change = stepSize.mul(mNew).div(vNew.sqrt().fma(rootScale, floor));
      store(load(pb, param.at() + i).fma(keep, change.neg()), pb, param.at() + i);
    }
    SCALAR.adamW(param, grad, m, v, scale, rate, beta1, beta2, eps, decay, c1, c2, end, to);
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
    ByteBuffer pb = param.buffer();
    ByteBuffer gb = grad.buffer();
    ByteBuffer bb = buffer.buffer();
    FloatVector scales = FloatVector.broadcast(SPECIES, scale);
    FloatVector mu = FloatVector.broadcast(SPECIES, momentum);
    FloatVector down = FloatVector.broadcast(SPECIES, -rate);
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      FloatVector p = load(pb, param.at() + i);
      FloatVector g = load(gb, grad.at() + i).fma(scales, p.mul(decay));
      if (momentum != 0f) {
        FloatVector b = load(bb, buffer.at() + i).fma(mu, g);
        store(b, bb, buffer.at() + i);
        g = nesterov ? b.fma(mu, g) : b;
      }
      store(g.fma(down, p), pb, param.at() + i);
    }
    SCALAR.sgd(param, grad, buffer, scale, rate, momentum, decay, nesterov, end, to);
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
    int end = vectorEnd(from, to);
    for (int i = from; i < end; i += W) {
      FloatVector d =
          load(anchor.buffer(), anchor.at() + i).sub(load(live.buffer(), live.at() + i));
      FloatVector arrived = load(payload.buffer(), payload.at() + i);
      outer(anchor, momentum, live, arrived, numbers, i);
      if (departs) {
        store(d, payload.buffer(), payload.at() + i);
      }
    }
    SCALAR.outer(anchor, momentum, live, payload, numbers, departs, end, to);
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
    int end = vectorEnd(from, to);
    FloatVector share = FloatVector.broadcast(SPECIES, numbers.share());
    for (int i = from; i < end; i += W) {
      FloatVector d =
          load(anchor.buffer(), anchor.at() + i).sub(load(live.buffer(), live.at() + i));
      FloatVector others =
          load(payload.buffer(), payload.at() + i)
              .sub(share.mul(load(kept.buffer(), kept.at() + i)));
      outer(anchor, momentum, live, share.mul(d).add(others), numbers, i);
      store(d, payload.buffer(), payload.at() + i);
      store(d, kept.buffer(), kept.at() + i);
    }
    SCALAR.outerOwn(anchor, momentum, live, payload, kept, numbers, end, to);
  }

  private static void outer(
      Operand anchor, Operand momentum, Operand live, FloatVector u, OuterNumbers numbers, int i) {
    FloatVector beta = FloatVector.broadcast(SPECIES, numbers.momentum());
    FloatVector v = u.mul(numbers.gain());
    FloatVector old = load(momentum.buffer(), momentum.at() + i);
    FloatVector m = clip(beta.mul(old).add(v), numbers.momentumLimit());
    FloatVector step = clip(numbers.nesterov() ? beta.mul(m).add(v) : m, numbers.stepLimit());
    FloatVector x = load(anchor.buffer(), anchor.at() + i).sub(step.mul(numbers.rate()));
    store(m, momentum.buffer(), momentum.at() + i);
    store(x, anchor.buffer(), anchor.at() + i);
    store(x, live.buffer(), live.at() + i);
  }

  private static FloatVector clip(FloatVector value, float limit) {
    return value
        .blend(limit, value.compare(VectorOperators.GT, limit))
        .blend(-limit, value.compare(VectorOperators.LT, -limit));
  }
}
