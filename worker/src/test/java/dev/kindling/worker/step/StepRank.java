package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.Llama;
import dev.kindling.worker.shard.Sharding;
import java.util.Optional;

/** One rank with a tiny model whose sequence number n always holds the same tokens. */
final class StepRank implements AutoCloseable {
  static final int SEQUENCE = 8;
  static final int VOCABULARY = 23;
  static final long SEED = Long.getLong("seed", 17L);

  private final Backend backend;
  private final StepProgram program;
  private final int sequences;
  private long updates;

  /**
   * @param sequences of a micro-batch
   */
  StepRank(Optimizer rule, int sequences, int localShards, Communicator data) {
    this(graphs(16, rule, sequences, localShards), data);
    fill();
  }

  /** Weights are to be filled by the caller: sharded ranks do it together. */
  StepRank(TrainStep graphs, Communicator data) {
    this(graphs, data, cpu());
  }

  /** On a device that is closed together with the rank. */
  StepRank(TrainStep graphs, Communicator data, Backend backend) {
    this.backend = backend;
    sequences = graphs.shape().microTokens() / SEQUENCE;
    program = StepProgram.compile(graphs, backend, data);
  }

  static Backend cpu() {
    return Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
  }

  static StepGraphs graphs(int width, Optimizer rule, int sequences, int localShards) {
    Optional<Integer> none = Optional.empty();
    Optional<Integer> vocabulary = Optional.of(VOCABULARY);
    Llama model =
        new Llama(
            width, 1, 2, Optional.of(1), none, none, vocabulary, SEQUENCE, false, 0.2, 1e4, 1e-5);
    StepShape shape = new StepShape(sequences * SEQUENCE, SEQUENCE, false, localShards);
    return new StepGraphs(model, new Full(), rule, shape);
  }

  /** A model of some layers, sharded, for steps of some micro-steps or of any number (0). */
  static StepGraphs graphs(
      int layers, Optimizer rule, int sequences, int microSteps, Sharding sharding) {
    Optional<Integer> none = Optional.empty();
    Llama model =
        new Llama(
            16,
            layers,
            2,
            Optional.of(1),
            none,
            none,
            Optional.of(VOCABULARY),
            SEQUENCE,
            true,
            0.2,
            1e4,
            1e-5);
    StepShape shape = new StepShape(sequences * SEQUENCE, SEQUENCE, false, 1, microSteps);
    return new StepGraphs(model, new Full(), rule, shape, sharding);
  }

  /** Sets all weights to their first values. */
  void fill() {
    program.fill(SEED);
  }

  StepProgram program() {
    return program;
  }

  /** Writes the micro-batch that begins with a sequence. */
  void write(int first) {
    for (int at = 0; at < sequences * SEQUENCE; at++) {
      int sequence = first + at / SEQUENCE;
      int position = at % SEQUENCE;
      program.inputs().tokens().put(at, token(sequence, position));
      program.inputs().targets().put(at, token(sequence, position + 1));
      program.inputs().positions().put(at, position);
    }
  }

  private static int token(int sequence, int position) {
    return Math.floorMod(((sequence * 31 + position) * 0x9E3779B1) >>> 7, VOCABULARY);
  }

  /** One step over sequences [first, first + count), shard by shard as the loop does it. */
  StepOutcome step(int first, int count, boolean vote) {
    submit(first, count, vote);
    return program.outcome().copy();
  }

  /** Begins such a step. */
  void submit(int first, int count, boolean vote) {
    int microSteps = count / sequences;
    int perShard = microSteps / program.shape().localShards();
    for (int micro = 0; micro < microSteps - 1; micro++) {
      write(first + micro * sequences);
      program.accumulate(updates + 1, 1.0);
      if ((micro + 1) % perShard == 0) {
        program.stash(Integer.numberOfTrailingZeros(~(micro / perShard)));
      }
    }
    write(first + (microSteps - 1) * sequences);
    program.submit(++updates, 1.0, vote);
  }

  StepOutcome step(int first, int count) {
    return step(first, count, false);
  }

  /** One step whose update has this number. */
  StepOutcome stepAs(long update, int first, int count) {
    updates = update - 1;
    return step(first, count);
  }

  /** The next update has this number again. */
  void takeBackUpdate() {
    updates--;
  }

  /** All bits of an arena. */
  int[] bits(Role role) {
    Span arena = program.memory().arena(role);
    int[] bits = new int[(int) (arena.bytes() / Integer.BYTES)];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = arena.getInt(i);
    }
    return bits;
  }

  float[] weights() {
    return program.memory().arena(Role.PARAMETER).toFloats();
  }

  @Override
  public void close() {
    program.close();
    backend.close();
  }
}
