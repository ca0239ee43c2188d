package dev.kindling.kernels.backend.cpu.vector;

import java.util.Arrays;

/** Plain Java {@link NormKernels}. */
public final class ScalarNorms implements NormKernels {
  private static final ScalarElements ELEMENTS = new ScalarElements();

  @Override
  public void rmsForward(
      Operand x, Operand gain, Operand y, Operand rstd, int width, float eps, int from, int to) {
    float[] lanes = new float[16];
    for (int row = from; row < to; row++) {
      int base = row * width;
      float squares = dot(x, base, x, base, width, lanes);
      float r = ScalarMath.reciprocalRoot((double) squares / width, eps);
      rstd.set(row, r);
      for (int i = 0; i < width; i++) {
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
    ELEMENTS.add(x, delta, sum, from * width, to * width);
    rmsForward(sum, gain, y, rstd, width, eps, from, to);
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
    float[] lanes = new float[16];
    for (int row = from; row < to; row++) {
      int base = row * width;
      float r = rstd.get(row);
      float projection = gainDot(dy, x, gain, base, width, lanes);
      float k = (float) ((double) r * r * r * projection / width);
      for (int i = 0; i < width; i++) {
        float g = gain.get(i) * dy.get(base + i);
        float value = Math.fma(-k, x.get(base + i), r * g);
        dx.set(base + i, accumulate ? dx.get(base + i) + value : value);
      }
    }
  }

  @Override
  public void rmsGainGradient(
      Operand dy, Operand x, Operand rstd, Operand dgain, int rows, int width, int from, int to) {
    for (int row = 0; row < rows; row++) {
      int base = row * width;
      float r = rstd.get(row);
      for (int i = from; i < to; i++) {
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
    float[] lanes = new float[16];
    for (int row = from; row < to; row++) {
      int base = row * width;
      float mean = sum(x, base, width, lanes) / width;
      float squares = squaredDistance(x, base, width, mean, lanes);
      float r = ScalarMath.reciprocalRoot((double) squares / width, eps);
      stats.set(2 * row, mean);
      stats.set(2 * row + 1, r);
      for (int i = 0; i < width; i++) {
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
    ELEMENTS.add(x, delta, sum, from * width, to * width);
    layerForward(sum, gain, bias, y, stats, width, eps, from, to);
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
    float[] lanes = new float[16];
    for (int row = from; row < to; row++) {
      int base = row * width;
      float mean = stats.get(2 * row);
      float r = stats.get(2 * row + 1);
      float meanG = dot(dy, base, gain, 0, width, lanes) / width;
      float meanGx = centredDot(dy, x, gain, base, width, mean, r, lanes) / width;
      for (int i = 0; i < width; i++) {
        float g = gain.get(i) * dy.get(base + i);
        float xhat = (x.get(base + i) - mean) * r;
        float value = r * Math.fma(-meanGx, xhat, g - meanG);
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
    for (int row = 0; row < rows; row++) {
      int base = row * width;
      float mean = stats.get(2 * row);
      float r = stats.get(2 * row + 1);
      for (int i = from; i < to; i++) {
        float d = dy.get(base + i);
        dgain.set(i, Math.fma(d, (x.get(base + i) - mean) * r, dgain.get(i)));
        dbias.set(i, dbias.get(i) + d);
      }
    }
  }

  static float dot(Operand a, int aAt, Operand b, int bAt, int count, float[] lanes) {
    Arrays.fill(lanes, 0f);
    int end = count & -16;
    for (int i = 0; i < end; i++) {
      lanes[i & 15] = Math.fma(a.get(aAt + i), b.get(bAt + i), lanes[i & 15]);
    }
    float total = ScalarMath.fold(lanes);
    for (int i = end; i < count; i++) {
      total = Math.fma(a.get(aAt + i), b.get(bAt + i), total);
    }
    return total;
  }

  private static float sum(Operand x, int base, int count, float[] lanes) {
    Arrays.fill(lanes, 0f);
    int end = count & -16;
    for (int i = 0; i < end; i++) {
      lanes[i & 15] += x.get(base + i);
    }
    float total = ScalarMath.fold(lanes);
    for (int i = end; i < count; i++) {
      total += x.get(base + i);
    }
    return total;
  }

  private static float squaredDistance(Operand x, int base, int count, float mean, float[] lanes) {
    Arrays.fill(lanes, 0f);
    int end = count & -16;
    for (int i = 0; i < end; i++) {
      float d = x.get(base + i) - mean;
      lanes[i & 15] = Math.fma(d, d, lanes[i & 15]);
    }
    float total = ScalarMath.fold(lanes);
    for (int i = end; i < count; i++) {
      float d = x.get(base + i) - mean;
      total = Math.fma(d, d, total);
    }
    return total;
  }

  private static float gainDot(
      Operand dy, Operand x, Operand gain, int base, int count, float[] lanes) {
    Arrays.fill(lanes, 0f);
    int end = count & -16;
    for (int i = 0; i < end; i++) {
      float g = gain.get(i) * dy.get(base + i);
      lanes[i & 15] = Math.fma(g, x.get(base + i), lanes[i & 15]);
    }
    float total = ScalarMath.fold(lanes);
    for (int i = end; i < count; i++) {
      total = Math.fma(gain.get(i) * dy.get(base + i), x.get(base + i), total);
    }
    return total;
  }

  private static float centredDot(
      Operand dy,
      Operand x,
      Operand gain,
      int base,
      int count,
      float mean,
      float r,
      float[] lanes) {
    Arrays.fill(lanes, 0f);
    int end = count & -16;
    for (int i = 0; i < end; i++) {
      float g = gain.get(i) * dy.get(base + i);
      lanes[i & 15] = Math.fma(g, (x.get(base + i) - mean) * r, lanes[i & 15]);
    }
    float total = ScalarMath.fold(lanes);
    for (int i = end; i < count; i++) {
      float g = gain.get(i) * dy.get(base + i);
      total = Math.fma(g, (x.get(base + i) - mean) * r, total);
    }
    return total;
  }
}
