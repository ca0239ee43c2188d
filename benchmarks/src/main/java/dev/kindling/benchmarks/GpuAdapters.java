package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CudaOptions;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.cuda.CudaBackend;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Zeros;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.Nf4Weight;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import java.util.SplittableRandom;

/**
 * A model with an adapter on GPU 0 that trains on one batch of random tokens. Weights are a pattern
 * of random numbers of 64 MiB, codes and all, laid over each tensor: no host holds a matrix, and no
 * model is ever there in full precision.
 */
final class GpuAdapters implements AutoCloseable {
  private static final int SEED = 1;
  private static final double STD = 0.02;
  private static final int PATTERN_BYTES = 64 << 20;

  /** Largest absolute value of a block of 64 normal numbers, in standard deviations. */
  private static final float LARGEST = 2.5f;

  private final Communicator alone = LoopbackCommunicator.create(1).get(0);
  private final CudaBackend backend;
  private final StepProgram program;
  private final SplittableRandom random = new SplittableRandom(SEED);
  private final int vocabulary;
  private long update;

  GpuAdapters(StepGraphs graphs) {
    vocabulary = graphs.model().vocabulary().orElseThrow();
    backend = new CudaBackend(new CudaOptions(0, Precision.BF16, true, true), line -> {});
    program = StepProgram.compile(graphs, backend, alone);
    try (Span normal = Span.allocate(PATTERN_BYTES);
        Span bits = Span.allocate(PATTERN_BYTES);
        Span ones = Span.allocate(1 << 20);
        Span largest = Span.allocate(1 << 20);
        Span zeros = Span.allocate(PATTERN_BYTES)) {
      fill(normal, bits);
      constant(ones, 1f);
      // Offset and scales alike: blocks' largest values from nearly nothing to twice the offset.
      constant(largest, (float) (LARGEST * STD));
      for (Param param : program.params()) {
        boolean gain = param.shape().rank() == 1;
        Span pattern = param.init() instanceof Zeros ? zeros : normal;
        lay(param.name(), param.type().bytes(), gain ? ones : pattern);
      }
      for (Nf4Weight weight : program.projection().packed()) {
        for (Variable variable : weight.variables()) {
          boolean codes = variable.type().dtype() == DType.I32;
          lay(variable.name(), variable.type().bytes(), codes ? bits : largest);
        }
      }
    }
    program.spread();
  }

  private void fill(Span normal, Span bits) {
    for (int i = 0; i < PATTERN_BYTES / Float.BYTES; i++) {
      normal.putFloat(i, (float) (STD * random.nextGaussian()));
      bits.putInt(i, random.nextInt());
    }
  }

  private static void constant(Span pattern, float value) {
    for (int i = 0; i < pattern.bytes() / Float.BYTES; i++) {
      pattern.putFloat(i, value);
    }
  }

  private void lay(String variable, long bytes, Span pattern) {
    Memory memory = program.memory();
    for (long at = 0; at < bytes; at += pattern.bytes()) {
      memory.publish(variable, at, pattern.slice(0, Math.min(bytes - at, pattern.bytes())));
    }
  }

  private void fillRandom() {
    int sequence = program.shape().sequence();
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
    program.submit(++update, 1.0, false);
  }

  /** Of the oldest step that was submitted. */
  StepOutcome outcome() {
    return program.outcome();
  }

  int tokens() {
    return program.shape().microTokens();
  }

  /** Trained scalars. */
  long trained() {
    return program.trainedWeights().stream().mapToLong(held -> held.elements()).sum();
  }

  String device() {
    return backend.name();
  }

  long reservedBytes() {
    return backend.reservedBytes();
  }

  /** Of the whole device, context included. */
  long usedBytes() {
    return backend.totalBytes() - backend.freeBytes();
  }

  @Override
  public void close() {
    program.close();
    backend.close();
    alone.close();
  }
}
