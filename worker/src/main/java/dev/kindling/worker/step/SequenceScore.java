package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.shard.ParameterPlaces;
import java.util.ArrayList;
import java.util.List;

/** The program that scores one sequence, with its places in each slot of the memory. */
final class SequenceScore {
  /** What the names of its inputs begin with. */
  static final String SCORED = "scored/";

  static final String SCORE = "out/score";

  private final Program program;
  private final List<StepInputs> inputs = new ArrayList<>();
  private final List<Span> losses = new ArrayList<>();

  SequenceScore(Program program, Memory memory) {
    this.program = program;
    for (int slot = 0; slot < memory.slots(); slot++) {
      inputs.add(StepInputs.of(memory, slot, SCORED, false, false));
      losses.add(memory.span(SCORE, slot));
    }
  }

  /** Forward of one sequence of any documents: attention spans it all. */
  static Graph sentence(TrainStep step) {
    ParameterPlaces places = step.sharding().places();
    GraphBuilder b = new GraphBuilder(places);
    Projection projection = step.projection().evaluating();
    projection.declare(b, step.model());
    Shape tokens = Shape.of(step.shape().sequence());
    Value ids = b.input(SCORED + ModelInputs.TOKENS, tokens, DType.I32);
    Value positions = b.input(SCORED + ModelInputs.POSITIONS, tokens, DType.I32);
    Value targets = b.input(SCORED + StepGraphs.TARGETS, tokens, DType.I32);
    ModelInputs in = new ModelInputs(ids, positions, null, step.shape().sequence());
    Value loss = b.crossEntropy(step.model().logits(b, in, projection), targets).lossSum();
    step.shape().saving().apply(b);
    places.settle(b, step.model().layers());
    b.output(SCORE, loss);
    step.host(b);
    return b.build();
  }

  Program program() {
    return program;
  }

  StepInputs inputs(int slot) {
    return inputs.get(slot);
  }

  float loss(int slot) {
    return losses.get(slot).getFloat(0);
  }
}
