package dev.kindling.benchmarks;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import java.nio.file.Path;
import java.util.List;

/**
 * {@code bench order3 SET [SEQUENCES SEED]}: validation loss of the order-3 byte model on a
 * prepared set of bytes, each validation target scored. It learns the whole training split, or the
 * first sequences that a run of that seed reads: the same bytes as that run. The figure that the
 * quickstart's model must beat.
 */
public final class OrderThree implements Benchmark {
  @Override
  public void run(Results results, List<String> arguments) {
    if (arguments.size() != 1 && arguments.size() != 3) {
      throw new IllegalArgumentException(
          "order3: expected SET [SEQUENCES SEED], found " + arguments);
    }
    TokenShards shards = TokenShards.open(Path.of(arguments.get(0)));
    long sequences = shards.part(SplitName.TRAIN).sequences();
    if (arguments.size() == 1) {
      results.add("quickstart.order3", validationNats(shards, sequences, 0), "nats");
    } else {
      long read = Long.parseLong(arguments.get(1));
      double nats = validationNats(shards, read, Long.parseLong(arguments.get(2)));
      results.add("quickstart.order3", nats, "nats");
    }
  }

  /**
   * Nats per byte over all targets of the validation split.
   *
   * @param read training sequences to learn, in the sample order of {@code seed}
   * @throws DataException when the set is not one of bytes
   */
  public static double validationNats(TokenShards shards, long read, long seed) {
    if (shards.manifest().vocabularySize() != 256) {
      throw new DataException(
          shards.folder()
              + ": expected a vocabulary of 256 (bytes), found "
              + shards.manifest().vocabularySize());
    }
    OrderThreeByteModel model = new OrderThreeByteModel();
    double[] sums = new double[2];
    SampleOrder order = new SampleOrder(seed, shards.part(SplitName.TRAIN).sequences());
    int[] sequence = new int[shards.manifest().sequenceLength() + 1];
    try (SequenceReader reader = SequenceReader.open(shards, SplitName.TRAIN)) {
      for (long k = 0; k < read; k++) {
        reader.read(order.at(k), sequence);
        walk(sequence, model::learn);
      }
    }
    try (SequenceReader reader = SequenceReader.open(shards, SplitName.VALIDATION)) {
      for (long k = 0; k < reader.sequences(); k++) {
        reader.read(k, sequence);
        walk(
            sequence,
            (history, next) -> {
              sums[0] -= Math.log(model.probability(history, next));
              sums[1]++;
            });
      }
    }
    return sums[0] / sums[1];
  }

  private interface Visitor {
    void visit(int history, int next);
  }

  /** All targets of a sequence; like the network's, the history starts with the sequence. */
  private static void walk(int[] sequence, Visitor visitor) {
    int history = sequence[0];
    for (int i = 1; i < sequence.length; i++) {
      visitor.visit(history, sequence[i]);
      history = (history << 8 | sequence[i]) & 0xffffff;
    }
  }
}
