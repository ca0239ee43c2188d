package dev.kindling.kernels.backend.cpu.vector;

/**
 * RMSNorm and LayerNorm over rows [from, to) of [T, width] arrays, sums in 16 fp32 lanes.
 *
 * <p>RMSNorm: r = 1/sqrt(mean(x^2) + eps), y = (x * r) * gain. With g = gain * dy: dx = r g - (r^3
 * / width) sum(g x) x, dgain = sum over rows of dy x r. After Zhang and Sennrich 2019 (1910.07467).
 *
 * <p>LayerNorm: xhat = (x - mean) r, y = xhat gain + bias, dx = r (g - mean(g) - xhat mean(g
 * xhat)), dgain = sum of dy xhat, dbias = sum of dy. After Ba et al. 2016 (1607.06450).
 *
 * <p>The gain and bias gradients are added in row order and split by columns [from, to), so that
 * their bits do not depend on the number of threads. {@code sum = x + delta} in the residual forms;
 * sum may be x or delta.
 */
public interface NormKernels {
  /** Saves r in rstd [T]. */
  void rmsForward(
      Operand x, Operand gain, Operand y, Operand rstd, int width, float eps, int from, int to);

  void addRmsForward(
      Operand x,
      Operand delta,
      Operand sum,
      Operand gain,
      Operand y,
      Operand rstd,
      int width,
      float eps,
      int from,
      int to);

  /** dx = gradient, or dx += gradient when {@code accumulate}; dx may be dy. */
  void rmsBackward(
      Operand dy,
      Operand x,
      Operand gain,
      Operand rstd,
      Operand dx,
      int width,
      boolean accumulate,
      int from,
      int to);

  /** dgain[c] += for columns [from, to). */
  void rmsGainGradient(
      Operand dy, Operand x, Operand rstd, Operand dgain, int rows, int width, int from, int to);

  /** Saves (mean, r) in stats [T, 2]. */
  void layerForward(
      Operand x,
      Operand gain,
      Operand bias,
      Operand y,
      Operand stats,
      int width,
      float eps,
      int from,
      int to);

  void addLayerForward(
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
      int to);

  /** dx = gradient, or dx += gradient when {@code accumulate}; dx may be dy. */
  void layerBackward(
      Operand dy,
      Operand x,
      Operand gain,
      Operand stats,
      Operand dx,
      int width,
      boolean accumulate,
      int from,
      int to);

  /** dgain[c] += and dbias[c] += for columns [from, to). */
  void layerGainBiasGradient(
      Operand dy,
      Operand x,
      Operand stats,
      Operand dgain,
      Operand dbias,
      int rows,
      int width,
      int from,
      int to);
}
