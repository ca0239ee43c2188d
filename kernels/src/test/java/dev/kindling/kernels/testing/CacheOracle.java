package dev.kindling.kernels.testing;

import dev.kindling.kernels.graph.AttentionShape;
import dev.kindling.kernels.graph.op.CachedAttention;
import dev.kindling.kernels.graph.op.CrossEntropy;
import java.util.List;

/** What a cache of keys and values takes and gives. */
final class CacheOracle {
  private CacheOracle() {}

  static List<double[]> writeRows(Oracle.Call call) {
    int width = call.dim(0, 1);
    double[] table = call.in(1).clone();
    for (int t = 0; t < call.dim(0, 0); t++) {
      int place = (int) call.in(2)[t];
      if (place != CrossEntropy.IGNORED) {
        System.arraycopy(call.in(0), t * width, table, place * width, width);
      }
    }
    return List.of(table);
  }

  static List<double[]> attention(Oracle.Call call) {
    AttentionShape shape = ((CachedAttention) call.op()).shape();
    int c = shape.headDim();
    double[] o = new double[call.in(0).length];
    for (int head = 0; head < o.length / c; head++) {
      int sequence = head / shape.heads();
      int kvHead = head % shape.heads() / (shape.heads() / shape.kvHeads());
      int length = (int) call.in(3)[sequence];
      int first = shape.window() == 0 ? 0 : Math.max(0, length - shape.window());
      double[] p = new double[length];
      double sum = 0;
      for (int j = first; j < length; j++) {
        int key = key(shape, sequence, j, kvHead);
        double score = 0;
        for (int i = 0; i < c; i++) {
          score += call.in(0)[head * c + i] * call.in(1)[key + i];
        }
        p[j] = Math.exp(score / Math.sqrt(c));
        sum += p[j];
      }
      for (int j = first; j < length; j++) {
        int key = key(shape, sequence, j, kvHead);
        for (int i = 0; i < c; i++) {
          o[head * c + i] += p[j] / sum * call.in(2)[key + i];
        }
      }
    }
    return List.of(o);
  }

  private static int key(AttentionShape shape, int sequence, int row, int kvHead) {
    return ((sequence * shape.sequence() + row) * shape.kvHeads() + kvHead) * shape.headDim();
  }
}
