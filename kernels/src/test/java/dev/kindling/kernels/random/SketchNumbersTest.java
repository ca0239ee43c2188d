package dev.kindling.kernels.random;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class SketchNumbersTest {
  private static final int SEEDS = 4000;

  /** |Px|^2 / |x|^2 has mean 1 and variance 2 / rank: Johnson and Lindenstrauss. */
  @Test
  void sketchesKeepTheLengthOfAVectorInTheMean() {
    double[] x = new double[24];
    double length = 0;
    for (int i = 0; i < x.length; i++) {
      x[i] = Math.sin(3 * i + 1);
      length += x[i] * x[i];
    }
    for (int rank : new int[] {1, 4, 16}) {
      double sum = 0;
      double squares = 0;
      for (int seed = 0; seed < SEEDS; seed++) {
        double ratio = sketched(x, rank, SketchNumbers.key(seed, "w")) / length;
        sum += ratio;
        squares += ratio * ratio;
      }
      double mean = sum / SEEDS;
      double variance = squares / SEEDS - mean * mean;
      double deviation = Math.sqrt(2.0 / rank / SEEDS);
      assertThat(mean).as("rank %d", rank).isCloseTo(1, within(4 * deviation));
      assertThat(variance).as("rank %d", rank).isCloseTo(2.0 / rank, within(0.25 * 2.0 / rank));
    }
  }

  private static double sketched(double[] x, int rank, long key) {
    double squares = 0;
    for (int k = 0; k < rank; k++) {
      double dot = 0;
      for (int i = 0; i < x.length; i++) {
        dot += x[i] * SketchNumbers.number(key, 0, (long) i * rank + k) / Math.sqrt(rank);
      }
      squares += dot * dot;
    }
    return squares;
  }

  /** Moments and distribution, each within four deviations of its estimate. */
  @Test
  void numbersAreNormal() {
    int count = 1 << 18;
    double[] moments = new double[5];
    int inside = 0;
    double neighbours = 0;
    float last = 0;
    for (int i = 0; i < count; i++) {
      float number = SketchNumbers.number(11, 3, i);
      for (int power = 1; power < 5; power++) {
        moments[power] += Math.pow(number, power) / count;
      }
      inside += Math.abs(number) < 1 ? 1 : 0;
      neighbours += (double) number * last / count;
      last = number;
    }
    double root = Math.sqrt(count);
    assertThat(moments[1]).isCloseTo(0, within(4 / root));
    assertThat(moments[2]).isCloseTo(1, within(4 * Math.sqrt(2) / root));
    assertThat(moments[3]).isCloseTo(0, within(4 * Math.sqrt(15) / root));
    assertThat(moments[4]).isCloseTo(3, within(4 * Math.sqrt(96) / root));
    assertThat(neighbours).isCloseTo(0, within(4 / root));
    // Rounding to bf16 moves what lies within half a step of 1 across it.
    assertThat(inside / (double) count).isCloseTo(0.6827, within(4 * 0.4655 / root + 0x1.0p-9));
  }

  @Test
  void aDrawingLastsAnInterval() {
    for (long step = 1; step <= 600; step++) {
      assertThat(SketchNumbers.drawing(step, 200)).isEqualTo((step - 1) / 200);
    }
    assertThat(SketchNumbers.number(7, 0, 3)).isNotEqualTo(SketchNumbers.number(7, 1, 3));
    assertThat(SketchNumbers.key(0, "a")).isNotEqualTo(SketchNumbers.key(0, "b"));
    assertThat(SketchNumbers.key(0, "a")).isNotEqualTo(SketchNumbers.key(1, "a"));
    assertThat(SketchNumbers.key(0, "a")).isNotEqualTo(StochasticRounding.key(0, "a"));
  }

  /** Wherever a piece begins, and however threads cut it. */
  @Test
  void anyPieceOfADrawingIsThatPieceOfTheWhole() {
    int[] words = new int[4];
    ByteBuffer piece = ByteBuffer.allocateDirect(40 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int first = 0; first < 3; first++) {
      for (int cut : new int[] {0, 1, 17, 40}) {
        long begin = SketchNumbers.counter(5, first);
        SketchNumbers.fill(9, begin, piece, 0, cut, words);
        SketchNumbers.fill(9, begin, piece, cut, 40, words);
        for (int i = 0; i < 40; i++) {
          float found = piece.getFloat(i * Float.BYTES);
          assertThat(found).isEqualTo(SketchNumbers.number(9, 5, first + i));
          assertThat(Float.floatToRawIntBits(found) & 0xFFFF).isZero();
        }
      }
    }
  }
}
