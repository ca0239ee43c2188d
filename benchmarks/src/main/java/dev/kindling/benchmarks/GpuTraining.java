package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.SplittableRandom;

/**
 * A model on GPU 0 that trains on one batch of random tokens, again and again. As in training one
 * step computes while the host submits the next.
 */
final class GpuTraining implements AutoCloseable {
  private static final int SEED = 1;
  private static final double LEARNING_RATE = 1e-4;

  private final Communicator alone = LoopbackCommunicator.create(1).get(0);
  private final CudaBackend backend;
  private final StepProgram program;
  private final int vocabulary;
  private long update;

  /**
   * @param captured whether a step is one captured graph; else each kernel is launched by itself
   * @throws dev.kindling.kernels.backend.DeviceException if there is no GPU or the model does not
   *     fit
   */
  GpuTraining(GpuModel model, int micro, int sequence, boolean captured) {
    this(model, model.graphs(micro, sequence, LEARNING_RATE), captured);
  }

  /** As above, for other sentences of the model's step. */
  GpuTraining(GpuModel model, StepGraphs graphs, boolean captured) {
    backend = new CudaBackend(new CudaOptions(0, Precision.BF16, captured, true), line -> {});
    program = StepProgram.compile(graphs, backend, alone);
    for (Param param : program.params()) {
      Initialization.fill(param, SEED, program.memory().span(param.name()));
      program.memory().publish(param.name());
    }
    vocabulary = model.vocabulary();
  }

  private void fillRandom() {
    int sequence = program.shape().sequence();
    SplittableRandom random = new SplittableRandom(SEED);
    StepInputs inputs = program.inputs();
    for (int i = 0; i < inputs.tokens().limit(); i++) {
      inputs.tokens().put(i, random.nextInt(vocabulary));
      inputs.targets().put(i, random.nextInt(vocabulary));
      inputs.positions().put(i, i % sequence);
    }
  }

  /** Begins a step; its inputs stay in memory from the first steps. */
  void submit() {
    if (update < program.stepsInFlight()) {
      fillRandom();
    }
    submitInputs();
  }

  /** Where the inputs of the next step go. */
  StepInputs inputs() {
    return program.inputs();
  }

  /** Begins a step on what was put there. */
  void submitInputs() {
    program.submit(++update, 1.0, false);
  }

  /** Of the oldest step that was submitted: the batch before the update. */
  StepOutcome outcome() {
    return program.outcome();
  }

  /** Name of the GPU and how values are stored. */
  String device() {
    return backend.name();
  }

  /** Device bytes reserved, the context excluded. */
  long reservedBytes() {
    return backend.reservedBytes();
  }

  /** Device bytes that nobody holds, other processes included. */
  long freeBytes() {
    return backend.freeBytes();
  }

  int tokens() {
    return program.shape().microTokens();
  }

  @Override
  public void close() {
    program.close();
    backend.close();
    alone.close();
  }
}
