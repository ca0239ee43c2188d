package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;

/** Our side of {@code bench cpu-train}: the same programs that a worker runs. */
final class KindlingTransformer implements TimedTraining {
  private final Communicator alone = LoopbackCommunicator.create(1).get(0);
  private final Backend backend;
  private final StepProgram program;
  private long update;

  KindlingTransformer(TrainShape shape, int threads) {
    backend = Backend.cpu(new CpuOptions(threads, MatmulKind.OPENBLAS));
    program = StepProgram.compile(StartWeights.graphs(shape), backend, alone);
    for (Param param : program.params()) {
      Initialization.fill(param, StartWeights.SEED, program.memory().span(param.name()));
    }
    StepInputs inputs = program.inputs();
    int[][] batch = StartWeights.batch(shape);
    for (int i = 0; i < batch.length; i++) {
      inputs.tokens().put(i, batch[i][0]);
      inputs.targets().put(i, batch[i][1]);
      inputs.positions().put(i, i % shape.sequence());
    }
  }

  @Override
  public long parameters() {
    return program.params().stream().mapToLong(param -> param.shape().elements()).sum();
  }

  @Override
  public float step() {
    StepOutcome outcome = program.finish(++update, 1.0, false);
    return outcome.loss();
  }

  @Override
  public void close() {
    program.close();
    backend.close();
    alone.close();
  }
}
