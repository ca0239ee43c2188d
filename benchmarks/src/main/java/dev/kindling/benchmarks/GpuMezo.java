package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.rewrite.Recompute;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Mezo;
import dev.kindling.optim.rule.StateVariable;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.step.MemorySaving;
import dev.kindling.worker.step.MezoStep;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepShape;
import dev.kindling.worker.step.TrainStep;
import java.nio.IntBuffer;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A model on one GPU that takes zeroth-order steps on one batch of random tokens, another one on
 * each rank. Its random weights are made on the card, equal on all ranks: an update of slope 1 from
 * zeros, with the standard deviation as its rate.
 */
final class GpuMezo implements AutoCloseable {
  private static final int SEED = 1;
  private static final double STD = 0.02;
  private static final int LOSS_CHUNKS = 8;

  /** Standard normal numbers are below this with the probability of the key. */
  private static final Map<String, Double> BELOW =
      Map.of("0.5", 0.67449, "0.6", 0.52440, "0.7", 0.38532, "0.75", 0.31864, "0.8", 0.25335);

  private final Communicator data;
  private final CudaBackend backend;
  private final MezoStep step;
  private final Memory memory;
  private final Program finish;
  private long number;

  /**
   * @param sparsity as users write it: 0, or a key of the table above
   * @param host whether the matrices of layers lie in memory of the host
   */
  static GpuMezo alone(
      MezoShape shape, int micro, int sequence, int directions, String sparsity, boolean host) {
    return new GpuMezo(
        shape,
        micro,
        sequence,
        rule(directions, sparsity),
        sparsity,
        host,
        backend(0),
        LoopbackCommunicator.create(1).get(0));
  }

  /** One of several ranks, each on the GPU of its number; closes the communicator at the end. */
  static GpuMezo of(
      MezoShape shape, int micro, int sequence, CudaBackend backend, Communicator data) {
    return new GpuMezo(shape, micro, sequence, rule(1, "0"), "0", false, backend, data);
  }

  static CudaBackend backend(int device) {
    return new CudaBackend(new CudaOptions(device, Precision.BF16, true, true), line -> {});
  }

  private static Mezo rule(int directions, String sparsity) {
    double share = Double.parseDouble(sparsity);
    if (share > 0 && !BELOW.containsKey(sparsity)) {
      throw new IllegalArgumentException(
          "--sparsity: expected 0 or one of " + BELOW.keySet() + ", found " + sparsity);
    }
    return new Mezo(1e-7, 1e-3, directions, 0, share, false);
  }

  private GpuMezo(
      MezoShape shape,
      int micro,
      int sequence,
      Mezo rule,
      String sparsity,
      boolean host,
      CudaBackend backend,
      Communicator data) {
    this.backend = backend;
    this.data = data;
    int ranks = data.worldSize();
    step = step(shape, micro, sequence, rule, host, ranks);
    Mezo drawing = new Mezo(STD, 1e-3, rule.directions(), 0, 0, false);
    MezoStep first = step(shape, micro, sequence, drawing, host, ranks);
    Graph replay = first.replay().orElseThrow();
    List<Graph> graphs = List.of(step.finish(), replay);
    memory = backend.allocate(TrainStep.variables(graphs), graphs);
    finish = backend.compile(graphs.get(0), memory, Map.of(Axis.DATA, data));
    try (Program fill = backend.compile(replay, memory, Map.of())) {
      weights(first, fill);
    }
    if (rule.sparsity() > 0) {
      thresholds((float) (STD * BELOW.getOrDefault(sparsity, 0.0)));
    }
    for (int slot = 0; slot < memory.slots(); slot++) {
      tokens(slot, sequence, shape.vocabulary());
    }
  }

  private static MezoStep step(
      MezoShape shape, int micro, int sequence, Mezo rule, boolean host, int ranks) {
    StepShape steps = new StepShape(Math.multiplyExact(micro, sequence), sequence, false, 1, 1);
    MezoStep plain = new MezoStep(shape.family(sequence), new Full(), rule, steps, ranks, SEED);
    return plain.with(steps.with(new MemorySaving(Recompute.Level.NONE, LOSS_CHUNKS, host)));
  }

  private void weights(MezoStep first, Program fill) {
    // A step that no run reaches, so that no direction is that of the weights.
    first.rule().fillStep(memory.arena(Role.STEP, 0), 1 << 20, 1.0);
    Span slopes = memory.span(MezoStep.GIVEN, 0);
    for (int direction = 0; direction < first.rule().directions(); direction++) {
      slopes.putFloat(direction, direction == 0 ? first.rule().directions() : 0f);
    }
    memory.span(MezoStep.GIVEN_SCALE, 0).putFloat(0, 1f);
    fill.submit(0);
    memory.await(0);
    for (Param param : finish.graph().params()) {
      if (param.shape().rank() == 1) {
        Span gain = memory.span(param.name());
        for (int i = 0; i < param.shape().elements(); i++) {
          gain.putFloat(i, 1f);
        }
        memory.publish(param.name());
        memory.release(param.name());
      }
    }
  }

  private void thresholds(float threshold) {
    for (Param param : finish.graph().params()) {
      for (StateVariable state : step.state(param)) {
        memory.span(state.name()).putFloat(0, threshold);
        memory.publish(state.name());
      }
    }
  }

  private void tokens(int slot, int sequence, int vocabulary) {
    SplittableRandom random = new SplittableRandom(SEED + data.rank());
    IntBuffer tokens = memory.span(ModelInputs.TOKENS, slot).buffer().asIntBuffer();
    IntBuffer targets = memory.span(StepGraphs.TARGETS, slot).buffer().asIntBuffer();
    IntBuffer positions = memory.span(ModelInputs.POSITIONS, slot).buffer().asIntBuffer();
    for (int i = 0; i < step.shape().microTokens(); i++) {
      tokens.put(i, random.nextInt(vocabulary));
      targets.put(i, random.nextInt(vocabulary));
      positions.put(i, i % sequence);
    }
  }

  /** Begins a step; at most as many as {@link #inFlight} before the first is awaited. */
  void submit() {
    int slot = (int) (number % memory.slots());
    step.rule().fillStep(memory.arena(Role.STEP, slot), ++number, 1.0);
    finish.submit(slot);
  }

  int inFlight() {
    return memory.slots();
  }

  /** Waits for the step that was submitted {@code ago} before the last one; its mean loss. */
  float loss(int ago) {
    int slot = (int) ((number - 1 - ago) % memory.slots());
    memory.await(slot);
    return memory.span(StepGraphs.LOSS_SUM, slot).getFloat(0)
        / memory.span(StepGraphs.TOKEN_COUNT, slot).getFloat(0);
  }

  /** Slope along the first direction of the newest step. */
  float projected() {
    return memory.span(MezoStep.PROJECTED, (int) ((number - 1) % memory.slots())).getFloat(0);
  }

  long parameters() {
    return finish.graph().params().stream().mapToLong(p -> p.shape().elements()).sum();
  }

  long activationBytes() {
    return finish.activationBytes();
  }

  long reservedBytes() {
    return backend.reservedBytes();
  }

  long freeBytes() {
    return backend.freeBytes();
  }

  long totalBytes() {
    return backend.totalBytes();
  }

  String device() {
    return backend.name();
  }

  @Override
  public void close() {
    finish.close();
    memory.close();
    data.close();
    backend.close();
  }
}
