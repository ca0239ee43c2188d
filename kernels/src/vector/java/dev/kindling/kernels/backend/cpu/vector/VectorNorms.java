package dev.kindling.kernels.backend.cpu.vector;

import static dev.kindling.kernels.backend.cpu.vector.Lanes.SPECIES;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.W;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.load;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.store;
import static dev.kindling.kernels.backend.cpu.vector.Lanes.vectorEnd;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * Vector API {@link NormKernels}. Loops that follow an inlined sum call only the JDK's own methods:
 * a helper beyond the compiler's node budget is not inlined and puts its vector into a box.
 */
public final class VectorNorms implements NormKernels {
  private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
  private static final VectorElements ELEMENTS = new VectorElements();

  @Override
  public void rmsForward(
      Operand x, Operand gain, Operand y, Operand rstd, int width, float eps, int from, int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = gain.buffer();
    ByteBuffer yb = y.buffer();
    int ga = gain.at();
    int end = vectorEnd(0, width);
    for (int row = from; row < to; row++) {
      int base = row * width;
      int xa = x.at() + base;
      int ya = y.at() + base;
      float squares = VectorSums.dot(xb, xa, xb, xa, width);
      float r = ScalarMath.reciprocalRoot((double) squares / width, eps);
      rstd.set(row, r);
      for (int i = 0; i < end; i += W) {
        store(load(xb, xa + i).mul(r).mul(load(gb, ga + i)), yb, ya + i);
      }
      for (int i = end; i < width; i++) {
        y.set(base + i, x.get(base + i) * r * gain.get(i));
      }
    }
  }

  @Override
  public void addRmsForward(
      Operand x,
      Operand delta,
      Operand sum,
      Operand gain,
      Operand y,
      Operand rstd,
      int width,
      float eps,
      int from,
      int to) {
    for (int row = from; row < to; row++) {
      ELEMENTS.add(x, delta, sum, row * width, row * width + width);
      rmsForward(sum, gain, y, rstd, width, eps, row, row + 1);
    }
  }

  @Override
  public void rmsBackward(
      Operand dy,
      Operand x,
      Operand gain,
      Operand rstd,
      Operand dx,
      int width,
      boolean accumulate,
      int from,
      int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = gain.buffer();
    ByteBuffer dxb = dx.buffer();
    int ga = gain.at();
    int end = vectorEnd(0, width);
    for (int row = from; row < to; row++) {
      int base = row * width;
      int da = dy.at() + base;
      int xa = x.at() + base;
      int dxa = dx.at() + base;
      float r = rstd.get(row);
      float projection = VectorSums.gainDot(db, da, xb, xa, gb, ga, width);
      float k = (float) ((double) r * r * r * projection / width);
      FloatVector minus = FloatVector.broadcast(SPECIES, -k);
      for (int i = 0; i < end; i += W) {
        FloatVector gains = FloatVector.fromByteBuffer(SPECIES, gb, (ga + i) << 2, ORDER);
        FloatVector d = FloatVector.fromByteBuffer(SPECIES, db, (da + i) << 2, ORDER);
        FloatVector v = FloatVector.fromByteBuffer(SPECIES, xb, (xa + i) << 2, ORDER);
        v = v.fma(minus, gains.mul(d).mul(r));
        if (accumulate) {
          v = FloatVector.fromByteBuffer(SPECIES, dxb, (dxa + i) << 2, ORDER).add(v);
        }
        v.intoByteBuffer(dxb, (dxa + i) << 2, ORDER);
      }
      for (int i = end; i < width; i++) {
        float g = gain.get(i) * dy.get(base + i);
        float value = Math.fma(-k, x.get(base + i), r * g);
        dx.set(base + i, accumulate ? dx.get(base + i) + value : value);
      }
    }
  }

  @Override
  public void rmsGainGradient(
      Operand dy, Operand x, Operand rstd, Operand dgain, int rows, int width, int from, int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = dgain.buffer();
    int ga = dgain.at();
    int end = vectorEnd(from, to);
    for (int row = 0; row < rows; row++) {
      int base = row * width;
      int da = dy.at() + base;
      int xa = x.at() + base;
      float r = rstd.get(row);
      for (int i = from; i < end; i += W) {
        FloatVector xhat = load(xb, xa + i).mul(r);
        store(load(db, da + i).fma(xhat, load(gb, ga + i)), gb, ga + i);
      }
      for (int i = end; i < to; i++) {
        dgain.set(i, Math.fma(dy.get(base + i), x.get(base + i) * r, dgain.get(i)));
      }
    }
  }

  @Override
  public void layerForward(
      Operand x,
      Operand gain,
      Operand bias,
      Operand y,
      Operand stats,
      int width,
      float eps,
      int from,
      int to) {
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = gain.buffer();
    ByteBuffer bb = bias.buffer();
    ByteBuffer yb = y.buffer();
    int ga = gain.at();
    int ba = bias.at();
    int end = vectorEnd(0, width);
    for (int row = from; row < to; row++) {
      int base = row * width;
      int xa = x.at() + base;
      int ya = y.at() + base;
      float mean = VectorSums.sum(xb, xa, width) / width;
      float squares = VectorSums.squaredDistance(xb, xa, width, mean);
      float r = ScalarMath.reciprocalRoot((double) squares / width, eps);
      stats.set(2 * row, mean);
      stats.set(2 * row + 1, r);
      for (int i = 0; i < end; i += W) {
        FloatVector g = FloatVector.fromByteBuffer(SPECIES, gb, (ga + i) << 2, ORDER);
        FloatVector b = FloatVector.fromByteBuffer(SPECIES, bb, (ba + i) << 2, ORDER);
        FloatVector v = FloatVector.fromByteBuffer(SPECIES, xb, (xa + i) << 2, ORDER);
        v.sub(mean).mul(r).fma(g, b).intoByteBuffer(yb, (ya + i) << 2, ORDER);
      }
      for (int i = end; i < width; i++) {
        y.set(base + i, Math.fma((x.get(base + i) - mean) * r, gain.get(i), bias.get(i)));
      }
    }
  }

  @Override
  public void addLayerForward(
      Operand x,
      Operand delta,
      Operand sum,
      Operand gain,
      Operand bias,
      Operand y,
      Operand stats,
      int width,
      float eps,
      int from,
      int to) {
    for (int row = from; row < to; row++) {
      ELEMENTS.add(x, delta, sum, row * width, row * width + width);
      layerForward(sum, gain, bias, y, stats, width, eps, row, row + 1);
    }
  }

  @Override
  public void layerBackward(
      Operand dy,
      Operand x,
      Operand gain,
      Operand stats,
      Operand dx,
      int width,
      boolean accumulate,
      int from,
      int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = gain.buffer();
    ByteBuffer dxb = dx.buffer();
    int ga = gain.at();
    int end = vectorEnd(0, width);
    for (int row = from; row < to; row++) {
      int base = row * width;
      int da = dy.at() + base;
      int xa = x.at() + base;
      int dxa = dx.at() + base;
      float mean = stats.get(2 * row);
      float r = stats.get(2 * row + 1);
      float meanG = VectorSums.dot(db, da, gb, ga, width) / width;
      float meanGx = VectorSums.centredDot(db, da, xb, xa, gb, ga, width, mean, r) / width;
      FloatVector minus = FloatVector.broadcast(SPECIES, -meanGx);
      for (int i = 0; i < end; i += W) {
        FloatVector gains = FloatVector.fromByteBuffer(SPECIES, gb, (ga + i) << 2, ORDER);
        FloatVector d = FloatVector.fromByteBuffer(SPECIES, db, (da + i) << 2, ORDER);
        FloatVector v = FloatVector.fromByteBuffer(SPECIES, xb, (xa + i) << 2, ORDER);
        v = v.sub(mean).mul(r).fma(minus, gains.mul(d).sub(meanG)).mul(r);
        if (accumulate) {
          v = FloatVector.fromByteBuffer(SPECIES, dxb, (dxa + i) << 2, ORDER).add(v);
        }
        v.intoByteBuffer(dxb, (dxa + i) << 2, ORDER);
      }
      for (int i = end; i < width; i++) {
        float g = gain.get(i) * dy.get(base + i) - meanG;
        float value = r * Math.fma(-meanGx, (x.get(base + i) - mean) * r, g);
        dx.set(base + i, accumulate ? dx.get(base + i) + value : value);
      }
    }
  }

  @Override
  public void layerGainBiasGradient(
      Operand dy,
      Operand x,
      Operand stats,
      Operand dgain,
      Operand dbias,
      int rows,
      int width,
      int from,
      int to) {
    ByteBuffer db = dy.buffer();
    ByteBuffer xb = x.buffer();
    ByteBuffer gb = dgain.buffer();
    ByteBuffer bb = dbias.buffer();
    int ga = dgain.at();
    int ba = dbias.at();
    int end = vectorEnd(from, to);
    for (int row = 0; row < rows; row++) {
      int base = row * width;
      int da = dy.at() + base;
      int xa = x.at() + base;
      float mean = stats.get(2 * row);
      float r = stats.get(2 * row + 1);
      for (int i = from; i < end; i += W) {
        FloatVector d = load(db, da + i);
        store(d.fma(load(xb, xa + i).sub(mean).mul(r), load(gb, ga + i)), gb, ga + i);
        store(load(bb, ba + i).add(d), bb, ba + i);
      }
      for (int i = end; i < to; i++) {
        float d = dy.get(base + i);
        dgain.set(i, Math.fma(d, (x.get(base + i) - mean) * r, dgain.get(i)));
        dbias.set(i, dbias.get(i) + d);
      }
    }
  }
}
