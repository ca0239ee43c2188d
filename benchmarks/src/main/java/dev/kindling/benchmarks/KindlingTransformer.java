package dev.kindling.benchmarks;

import dev.kindling.comm.loopback.LoopbackCommunicator;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.random.Initialization;
import dev.kindling.optim.rule.AdamW;
import dev.kindling.worker.model.Full;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.step.StepGraphs;
import dev.kindling.worker.step.StepInputs;
import dev.kindling.worker.step.StepOutcome;
import dev.kindling.worker.step.StepProgram;
import dev.kindling.worker.step.StepShape;
import java.util.Locale;
import java.util.Random;

/** Our side of {@code bench cpu-train}: the same programs that a worker runs. */
final class KindlingTransformer implements TimedTraining {
  private final Communicator alone = LoopbackCommunicator.create(1).get(0);
  private final Backend backend;
  private final StepProgram program;
  private long update;

  KindlingTransformer(TrainShape shape, int threads) {
    backend = Backend.cpu(new CpuOptions(threads, MatmulKind.OPENBLAS));
    AdamW rule = new AdamW(1e-4, 0.9, 0.999, 1e-8, 0.01, 1.0);
    StepShape step = new StepShape(shape.microTokens(), shape.sequence(), false, 1);
    program =
        StepProgram.compile(new StepGraphs(family(shape), new Full(), rule, step), backend, alone);
    for (Param param : program.params()) {
      Initialization.fill(param, 1, program.memory().span(param.name()));
    }
    StepInputs inputs = program.inputs();
    Random random = new Random(1);
    for (int i = 0; i < shape.microTokens(); i++) {
      inputs.tokens().put(i, random.nextInt(shape.vocabulary()));
      inputs.targets().put(i, random.nextInt(shape.vocabulary()));
      inputs.positions().put(i, i % shape.sequence());
    }
  }

  /** The family record as a user would write it. */
  private static ModelFamily family(TrainShape shape) {
    String model =
        String.format(
            Locale.ROOT,
            "{type: %s, width: %d, layers: %d, heads: %d, mlp_width: %d, context: %d}",
            shape.gpt2() ? "gpt2" : "llama",
            shape.width(),
            shape.layers(),
            shape.heads(),
            shape.mlpWidth(),
            shape.sequence());
    String plan =
        "model: "
            + model
            + "\ndata: {type: prepared, path: none}\noptimizer: {type: adamw, lr: 1e-4}\nsteps: 1\n"
            + "global_batch: 256\nmicro_batch: 256\nsequence_length: 256\n";
    return PlanReader.fromYaml(plan).model().withVocabulary(shape.vocabulary());
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
