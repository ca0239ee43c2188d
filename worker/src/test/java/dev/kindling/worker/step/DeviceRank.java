package dev.kindling.worker.step;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.Held;

/** A small model on any device; step number n always trains on the same batch. */
final class DeviceRank implements AutoCloseable {
  static final int VOCABULARY = 517;
  static final int SEQUENCE = 128;
  private static final int SEQUENCES = 4;
  private static final int DOCUMENT = 50;
  private static final long SEED = Long.getLong("seed", 29L);

  private final Communicator alone = LoopbackCommunicator.create(1).get(0);
  private final Backend backend;
  private final StepProgram program;
  private int updates;

  DeviceRank(ModelFamily model, boolean maskDocuments, Backend backend) {
    this(model, maskDocuments, backend, new AdamW(1e-3, 0.9, 0.95, 1e-8, 0.1, 1.0));
  }

  /** A projection that trains less than everything, from its own first values. */
  DeviceRank(ModelFamily model, Projection projection, Backend backend) {
    this(
        new StepGraphs(model, projection, new AdamW(1e-2, 0.9, 0.95, 1e-8, 0.1, 1.0), shape()),
        backend);
  }

  private static StepShape shape() {
    return new StepShape(SEQUENCES * SEQUENCE, SEQUENCE, false, 1);
  }

  DeviceRank(ModelFamily model, boolean maskDocuments, Backend backend, Optimizer rule) {
    this(graphs(model, maskDocuments, rule, 0), backend);
  }

  DeviceRank(StepGraphs graphs, Backend backend) {
    this.backend = backend;
    program = StepProgram.compile(graphs, backend, alone);
    program.fill(SEED);
  }

  /**
   * @param microSteps of a step, 0 for any number
   */
  static StepGraphs graphs(
      ModelFamily model, boolean maskDocuments, Optimizer rule, int microSteps) {
    StepShape shape = new StepShape(SEQUENCES * SEQUENCE, SEQUENCE, maskDocuments, 1, microSteps);
    return new StepGraphs(model, new Full(), rule, shape);
  }

  StepProgram program() {
    return program;
  }

  /** The batch of step {@code n}: every document counts on from a random token. */
  void write(int n) {
    StepInputs inputs = program.inputs();
    for (int at = 0; at < SEQUENCES * SEQUENCE; at++) {
      int place = at % SEQUENCE;
      int document = n * 64 + at / SEQUENCE * 8 + place / DOCUMENT;
      int position = inputs.segments() == null ? place : place % DOCUMENT;
      inputs.tokens().put(at, token(document, position));
      inputs.targets().put(at, token(document, position + 1));
      inputs.positions().put(at, position);
      if (inputs.segments() != null) {
        inputs.segments().put(at, place / DOCUMENT);
      }
    }
  }

  private static int token(int document, int position) {
    int first = (document * 0x9E3779B1) >>> 8;
    return Math.floorMod(first + position * (7 + document % 3), VOCABULARY);
  }

  /** Loss of each of the next steps. */
  double[] train(int steps) {
    double[] losses = new double[steps];
    for (int i = 0; i < steps; i++) {
      losses[i] = step().loss();
    }
    return losses;
  }

  /** The next step; the outcome holds until the one after it. */
  StepOutcome step() {
    write(updates);
    return program.finish(++updates, 1.0, false);
  }

  /** Trained weights from here on are those of another rank. */
  void take(DeviceRank other) {
    for (Held held : program.trainedWeights()) {
      Span span = program.memory().span(held.name());
      float[] content = other.content(held.name());
      for (int i = 0; i < content.length; i++) {
        span.putFloat(i, content[i]);
      }
      program.memory().publish(held.name());
    }
    program.spread();
  }

  /** What the device holds in a variable, fetched whole and in two runs. */
  float[] content(String variable) {
    program.memory().fetch(variable);
    Span span = program.memory().span(variable);
    requireSameInRuns(program.memory(), variable, span);
    return span.toFloats();
  }

  static void requireSameInRuns(Memory memory, String variable, Span whole) {
    long first = whole.bytes() / 12 * 4;
    try (Span runs = Span.allocate(whole.bytes())) {
      memory.fetch(variable, 0, runs.slice(0, first));
      memory.fetch(variable, first, runs.slice(first, whole.bytes() - first));
      assertThat(runs.buffer().mismatch(whole.buffer())).as(variable).isEqualTo(-1);
    }
  }

  @Override
  public void close() {
    program.close();
    backend.close();
    alone.close();
  }
}
