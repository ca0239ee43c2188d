package dev.kindling.comm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.reduce.LogicalTree;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every communicator does when nothing goes wrong. */
class CommunicatorConformanceTest {
  private static final int LARGEST_WORLD = 5;
  private static final int[] SIZES = {0, 1, 3, 16, 17, 127, 128, 129, 1024, 16_384, 16_385, 50_001};

  static float[] values(long seed, int rank, int n) {
    var random = new Random(seed * 1_000_003 + rank);
    float[] values = new float[n];
    for (int i = 0; i < n; i++) {
      values[i] = (random.nextFloat() - 0.5f) * (1 << random.nextInt(12));
    }
    return values;
  }

  static Span span(float[] values) {
    Span span = Span.allocate((long) values.length * Float.BYTES);
    span.put(values);
    return span;
  }

  /** AssertJ's own comparison of arrays takes time quadratic in their length. */
  static void assertSameBits(float[] found, float[] expected) {
    assertThat(found).hasSameSizeAs(expected);
    for (int i = 0; i < found.length; i++) {
      if (Float.floatToRawIntBits(found[i]) != Float.floatToRawIntBits(expected[i])) {
        throw new AssertionError("element " + i + ": " + found[i] + " and not " + expected[i]);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void allReduceSums(World world) {
    for (int worldSize = 1; worldSize <= LARGEST_WORLD; worldSize++) {
      int ranks = worldSize;
      world.runAll(
          ranks,
          communicator -> {
            for (int n : SIZES) {
              float[] own = values(n, communicator.rank(), n);
              double[] expected = new double[n];
              double[] magnitude = new double[n];
              for (int r = 0; r < ranks; r++) {
                float[] part = values(n, r, n);
                for (int i = 0; i < n; i++) {
                  expected[i] += part[i];
                  magnitude[i] += Math.abs(part[i]);
                }
              }
              try (Span data = span(own)) {
                communicator.allReduce(data, DType.F32, Reduction.SUM);
                float[] found = data.toFloats();
                for (int i = 0; i < n; i++) {
                  if (Math.abs(found[i] - expected[i]) > 1e-6 * magnitude[i]) {
                    throw new AssertionError(
                        "size " + n + " element " + i + ": " + found[i] + ", not " + expected[i]);
                  }
                }
              }
            }
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void allReduceOfIntegersIsExactAndMaxIsMax(World world) {
    for (int worldSize = 1; worldSize <= LARGEST_WORLD; worldSize++) {
      int ranks = worldSize;
      world.runAll(
          ranks,
          communicator -> {
            for (int n : SIZES) {
              try (Span sum = Span.allocate((long) n * Integer.BYTES);
                  Span max = Span.allocate((long) n * Integer.BYTES);
                  Span floats = Span.allocate((long) n * Float.BYTES)) {
                for (int i = 0; i < n; i++) {
                  sum.putInt(i, integer(communicator.rank(), i));
                  max.putInt(i, integer(communicator.rank(), i));
                  floats.putFloat(i, integer(communicator.rank(), i));
                }
                communicator.allReduce(sum, DType.I32, Reduction.SUM);
                communicator.allReduce(max, DType.I32, Reduction.MAX);
                communicator.allReduce(floats, DType.F32, Reduction.MAX);
                for (int i = 0; i < n; i++) {
                  int expectedSum = 0;
                  int expectedMax = Integer.MIN_VALUE;
                  for (int r = 0; r < ranks; r++) {
                    expectedSum += integer(r, i);
                    expectedMax = Math.max(expectedMax, integer(r, i));
                  }
                  if (sum.getInt(i) != expectedSum
                      || max.getInt(i) != expectedMax
                      || floats.getFloat(i) != expectedMax) {
                    throw new AssertionError("size " + n + " element " + i);
                  }
                }
              }
            }
          });
    }
  }

  private static int integer(int rank, int i) {
    return Math.floorMod(i * 2_654_435 + rank * 40_503, 100_003) - 50_000;
  }

  @ParameterizedTest
  @EnumSource
  void gathersScattersAndExchanges(World world) {
    for (int worldSize = 1; worldSize <= LARGEST_WORLD; worldSize++) {
      int ranks = worldSize;
      world.runAll(
          ranks,
          communicator -> {
            for (int n : SIZES) {
              gathers(communicator, ranks, n);
              exchanges(communicator, ranks, n);
              scatters(communicator, ranks, n);
            }
          });
    }
  }

  private static void gathers(Communicator communicator, int ranks, int n) {
    try (Span send = span(values(1, communicator.rank(), n));
        Span receive = Span.allocate((long) ranks * n * Float.BYTES)) {
      communicator.allGather(send, receive);
      for (int r = 0; r < ranks; r++) {
        float[] piece = receive.slice((long) r * n * 4, (long) n * 4).toFloats();
        assertSameBits(piece, values(1, r, n));
      }
    }
  }

  private static void exchanges(Communicator communicator, int ranks, int n) {
    int rank = communicator.rank();
    try (Span send = span(values(2, rank, n * ranks));
        Span receive = Span.allocate((long) ranks * n * Float.BYTES)) {
      communicator.allToAll(send, receive);
      for (int r = 0; r < ranks; r++) {
        float[] sent = values(2, r, n * ranks);
        float[] piece = receive.slice((long) r * n * 4, (long) n * 4).toFloats();
        assertSameBits(piece, java.util.Arrays.copyOfRange(sent, rank * n, (rank + 1) * n));
      }
    }
  }

  private static void scatters(Communicator communicator, int ranks, int n) {
    int rank = communicator.rank();
    float[] before = values(3, rank, n * ranks);
    try (Span send = span(before);
        Span receive = Span.allocate((long) n * Float.BYTES)) {
      communicator.reduceScatter(send, receive, DType.F32, Reduction.SUM);
      assertSameBits(send.toFloats(), before);
      List<float[]> parts = new ArrayList<>();
      for (int r = 0; r < ranks; r++) {
        parts.add(java.util.Arrays.copyOfRange(values(3, r, n * ranks), rank * n, (rank + 1) * n));
      }
      assertSameBits(receive.toFloats(), treeSum(parts));
    }
  }

  @ParameterizedTest
  @EnumSource
  void broadcastsFromEveryRoot(World world) {
    for (int worldSize = 1; worldSize <= LARGEST_WORLD; worldSize++) {
      int ranks = worldSize;
      world.runAll(
          ranks,
          communicator -> {
            for (int root = 0; root < ranks; root++) {
              for (int n : SIZES) {
                try (Span data = span(values(4, communicator.rank(), n))) {
                  communicator.broadcast(data, root);
                  assertSameBits(data.toFloats(), values(4, root, n));
                }
              }
            }
          });
    }
  }

  @ParameterizedTest
  @EnumSource
  void sendsAndReceives(World world) {
    world.runAll(
        4,
        communicator -> {
          for (int n : SIZES) {
            int rank = communicator.rank();
            try (Span data = span(values(5, rank, n));
                Span other = Span.allocate((long) n * Float.BYTES)) {
              int peer = rank ^ 1;
              if (rank % 2 == 0) {
                communicator.send(data, peer);
                communicator.receive(other, peer);
              } else {
                communicator.receive(other, peer);
                communicator.send(data, peer);
              }
              assertSameBits(other.toFloats(), values(5, peer, n));
              communicator.allReduce(data, DType.F32, Reduction.MAX);
            }
          }
        });
  }

  /** The exact mode: shards spread over 1, 2, 4, 8 ranks give the bits that one rank gives. */
  @ParameterizedTest
  @EnumSource(names = {"LOOPBACK", "RING_TREE", "SOCKET_TREE"})
  void treeOrderGivesTheSameBitsForEveryWorldSize(World world) {
    int shards = 8;
    for (int n : new int[] {5, 1000, 100_003}) {
      List<float[]> leaves = new ArrayList<>();
      for (int shard = 0; shard < shards; shard++) {
        leaves.add(values(6, shard, n));
      }
      float[] expected = treeSum(leaves);
      for (int ranks = 1; ranks <= shards; ranks *= 2) {
        int block = shards / ranks;
        world.runAll(
            ranks,
            communicator -> {
              int first = communicator.rank() * block;
              try (Span data = span(treeSum(leaves.subList(first, first + block)))) {
                communicator.allReduce(data, DType.F32, Reduction.SUM);
                assertSameBits(data.toFloats(), expected);
              }
            });
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void timingChangesNoBitAndBitsRepeat(World world) {
    int ranks = 3;
    int n = 200_003;
    List<float[]> results = java.util.Collections.synchronizedList(new ArrayList<>());
    for (int round = 0; round < 3; round++) {
      var noise = new Random(round);
      int[] sleeps = noise.ints(ranks * 4L, 0, 20).toArray();
      world.runAll(
          ranks,
          communicator -> {
            for (int i = 0; i < 4; i++) {
              Thread.sleep(sleeps[communicator.rank() * 4 + i]);
              try (Span data = span(values(7, communicator.rank(), n))) {
                communicator.allReduce(data, DType.F32, Reduction.SUM);
                results.add(data.toFloats());
              }
            }
          });
    }
    assertThat(results).hasSize(ranks * 4 * 3);
    for (float[] result : results) {
      assertSameBits(result, results.get(0));
    }
  }

  @ParameterizedTest
  @EnumSource
  void twoWorldsAtOnceDoNotMix(World world) {
    var first = new Thread(() -> sumOnes(world, 3, 70_001));
    var failure = new ArrayList<Throwable>();
    first.setUncaughtExceptionHandler((thread, e) -> failure.add(e));
    first.start();
    sumOnes(world, 2, 50_001);
    try {
      first.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
    assertThat(failure).isEmpty();
  }

  private static void sumOnes(World world, int ranks, int n) {
    float[] ones = new float[n];
    java.util.Arrays.fill(ones, 1f);
    float[] expected = new float[n];
    java.util.Arrays.fill(expected, ranks);
    world.runAll(
        ranks,
        communicator -> {
          for (int i = 0; i < 10; i++) {
            try (Span data = span(ones)) {
              communicator.allReduce(data, DType.F32, Reduction.SUM);
              assertSameBits(data.toFloats(), expected);
            }
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  void countsBytesAndTime(World world) {
    world.runAll(
        2,
        communicator -> {
          try (Span data = span(new float[1 << 20])) {
            communicator.allReduce(data, DType.F32, Reduction.SUM);
            assertThat(communicator.bytesSent()).isBetween(4L << 20, (4L << 20) + 4096);
            assertThat(communicator.waitNanos()).isPositive();
          }
        });
  }

  static float[] treeSum(List<float[]> leaves) {
    var stack = new ArrayDeque<float[]>();
    for (int i = 0; i < leaves.size(); i++) {
      stack.push(leaves.get(i).clone());
      int folds = LogicalTree.foldsAfter(i);
      if (i == leaves.size() - 1) {
        folds += LogicalTree.foldsAtEnd(leaves.size());
      }
      for (; folds > 0 && stack.size() > 1; folds--) {
        float[] right = stack.pop();
        float[] left = stack.element();
        for (int e = 0; e < left.length; e++) {
          left[e] += right[e];
        }
      }
    }
    return stack.pop();
  }
}
