package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.ClipScale;
import dev.kindling.kernels.graph.op.Fill;
import dev.kindling.kernels.graph.op.GlobalNorm;
import dev.kindling.kernels.graph.rewrite.UpdateEarly;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The one program of a step that updates each parameter as soon as its gradient is complete, while
 * backward goes on: no two gradients of matrices need to be in memory at once.
 *
 * <pre>
 * forward; loss and tokens over all ranks
 * backward, and behind the last product that needs a parameter:
 *   its gradient over all ranks, norm of that, 1 / tokens or 0, update
 * norm of the norms
 * </pre>
 *
 * <p>No norm of all gradients is known in time, so nothing is clipped. A parameter whose gradient
 * is not finite keeps its bits, as its state does; the others are updated, and the step tells a
 * scale of 0. Otherwise parameters and state have the bits of the step that updates behind
 * backward.
 *
 * <p>After Lv et al. 2023 (2306.09782), section 3.1, who call it fused backward.
 */
final class LayerwiseStep {
  private final StepGraphs graphs;
  private final GraphBuilder b;

  LayerwiseStep(StepGraphs graphs) {
    this.graphs = graphs;
    b = new GraphBuilder(graphs.sharding().places());
    boolean fits =
        graphs.shape().overwrites()
            && graphs.shape().microSteps() == 1
            && graphs.shape().levels() == 0
            && graphs.sharding().stage() == 0
            && graphs.rule().rules().stream().allMatch(rule -> rule.clipNorm() == 0);
    if (!fits) {
      throw new PlanException(
          "memory.gradients layerwise: expected one micro-step, whole parameters and no clip norm,"
              + " found "
              + graphs.shape()
              + ", "
              + graphs.sharding());
    }
  }

  Graph finish() {
    Map<Param, Value> gradients = graphs.differentiated(b);
    GradientArena.overwrite(b, Map.of());
    // Every update waits for the token count, which the loss knows already.
    int updates = b.nodes().size();
    List<Value> scalars = reduced(GradientArena.scalars(b));
    Value lossSum = scalars.get(0);
    Value tokenCount = scalars.get(1);
    graphs.rule().check(List.copyOf(gradients.keySet()));
    graphs.rule().declareSteps(b);
    List<Value> norms = new ArrayList<>();
    gradients.forEach((param, gradient) -> norms.add(update(param, gradient, lossSum, tokenCount)));
    b.rewrite(new UpdateEarly(updates));
    Value norm = b.add(new GlobalNorm(false), norms.toArray(Value[]::new)).get(0);
    Value scale = b.add(new ClipScale(), norm, tokenCount, b.step(), lossSum).get(0);
    GradientArena.outputs(b, scalars, norm, scale);
    b.add(new Fill(0f), b.variable(GradientArena.scalar(StepGraphs.STOP_VOTES)));
    return b.build();
  }

  private List<Value> reduced(List<Value> values) {
    return b.add(new AllReduce(Axis.DATA), values.toArray(Value[]::new));
  }

  /** Norm of the gradient. */
  private Value update(Param param, Value own, Value lossSum, Value tokenCount) {
    Value gradient = graphs.sharding().ranks() > 1 ? reduced(List.of(own)).get(0) : own;
    Value norm = b.add(new GlobalNorm(), gradient, tokenCount).get(0);
    Value scale = b.add(new ClipScale(), norm, tokenCount, b.step(), lossSum).get(0);
    graphs.rule().update(b, param, gradient, scale);
    return norm;
  }
}
