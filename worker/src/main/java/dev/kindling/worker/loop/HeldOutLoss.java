package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.data.Batch;
import dev.kindling.worker.data.BatchReader;
import dev.kindling.worker.data.BatchSlice;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.Optional;

/**
 * Loss on held-out samples, always the same ones. Micro-batch j is computed by rank j mod W; each
 * rank fills its own entries of one table, a sum with zeros joins them, and every rank adds the
 * table up in order: the same bits for any number of ranks.
 */
final class HeldOutLoss implements AutoCloseable {
  private final StepProgram program;
  private final Communicator data;
  private final BatchReader reader;
  private final Span table;
  private final int batches;

  private HeldOutLoss(StepProgram program, Communicator data, BatchReader reader, int batches) {
    this.program = program;
    this.data = data;
    this.reader = reader;
    this.batches = batches;
    this.table = Span.allocate(2L * batches * Float.BYTES);
  }

  /** Empty where the set holds none out. */
  static Optional<HeldOutLoss> open(
      TrainPlan plan, TokenShards shards, StepProgram program, Communicator data) {
    if (shards.part(SplitName.VALIDATION).sequences() == 0) {
      return Optional.empty();
    }
    int sequences = plan.arithmetic().sequencesPerMicroBatch();
    // Every rank reads every micro-batch in order and computes its own: reading costs microseconds,
    // and the choice of samples then cannot depend on the number of ranks.
    int batches = plan.validation().batches();
    BatchSlice everything = new BatchSlice(0, 1, sequences, sequences);
    return Optional.of(
        new HeldOutLoss(
            program, data, BatchReader.validation(shards, everything, batches), batches));
  }

  /** Mean loss in nats per token and the number of tokens behind it. */
  record Mean(float loss, long tokens) {
    /** Of no tokens. */
    static final Mean NONE = new Mean(Float.NaN, 0);
  }

  Mean run() {
    for (int i = 0; i < 2 * batches; i++) {
      table.putFloat(i, 0f);
    }
    int worldSize = data.worldSize();
    for (int first = 0; first < batches; first += worldSize) {
      int own = first + data.rank();
      for (int index = first; index < Math.min(first + worldSize, batches); index++) {
        Batch batch = reader.next();
        if (index == own) {
          WorkerTask.write(batch, program.inputs());
        }
      }
      // All ranks run it, also one without a micro-batch left: sharded weights are gathered inside.
      StepOutcome outcome = program.evaluate();
      if (own < batches) {
        table.putFloat(2L * own, outcome.lossSum());
        table.putFloat(2L * own + 1, outcome.tokenCount());
      }
    }
    data.allReduce(table, DType.F32, Reduction.SUM);
    double loss = 0;
    double tokens = 0;
    for (int index = 0; index < batches; index++) {
      loss += table.getFloat(2L * index);
      tokens += table.getFloat(2L * index + 1);
    }
    return new Mean((float) (loss / tokens), (long) tokens);
  }

  @Override
  public void close() {
    reader.close();
    table.close();
  }
}
