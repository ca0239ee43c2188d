package dev.kindling.benchmarks;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.SequenceReader;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import java.nio.file.Path;

/**
 * Validation loss of the order-3 byte model on a prepared set of bytes: learns the training split
 * once, then scores every validation target. The figure that the quickstart's model must beat.
 */
public final class OrderThree {
  private OrderThree() {}

  /**
   * Nats per byte over all targets of the validation split.
   *
   * @throws DataException when the set is not one of bytes
   */
  public static double validationNats(TokenShards shards) {
    if (shards.manifest().vocabularySize() != 256) {
      throw new DataException(
          shards.folder()
              + ": expected a vocabulary of 256 (bytes), found "
              + shards.manifest().vocabularySize());
    }
    OrderThreeByteModel model = new OrderThreeByteModel();
    double[] sums = new double[2];
    walk(shards, SplitName.TRAIN, model::learn);
    walk(
        shards,
        SplitName.VALIDATION,
        (history, next) -> {
          sums[0] -= Math.log(model.probability(history, next));
          sums[1]++;
        });
    return sums[0] / sums[1];
  }

  private interface Visitor {
    void visit(int history, int next);
  }

  /** All targets of a split in stream order; the history runs on across sequences. */
  private static void walk(TokenShards shards, SplitName split, Visitor visitor) {
    int[] sequence = new int[shards.manifest().sequenceLength() + 1];
    int history = 0;
    try (SequenceReader reader = SequenceReader.open(shards, split)) {
      for (long k = 0; k < reader.sequences(); k++) {
        reader.read(k, sequence);
        if (k == 0) {
          history = sequence[0];
        }
        for (int i = 1; i < sequence.length; i++) {
          visitor.visit(history, sequence[i]);
          history = (history << 8 | sequence[i]) & 0xffffff;
        }
      }
    }
  }

  /** One argument: the folder of the prepared set. */
  public static void main(String[] args) {
    double nats = validationNats(TokenShards.open(Path.of(args[0])));
    System.out.printf("RESULT quickstart.order3 %.4f nats%n", nats);
  }
}
