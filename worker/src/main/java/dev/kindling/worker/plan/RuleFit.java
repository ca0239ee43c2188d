package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Demand;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.worker.adapt.Adapter;
import dev.kindling.worker.model.ModelFamily;
import dev.kindling.worker.model.ModelInputs;
import dev.kindling.worker.model.ModelSpec;
import dev.kindling.worker.model.Projection;
import dev.kindling.worker.model.TrainedColumns;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whether an update rule fits the parameters of a plan: their names and shapes are known before
 * there are data or ranks, so that a rank or a pattern is refused at its line of the configuration.
 */
final class RuleFit {
  private RuleFit() {}

  /**
   * Checks a rule with gradients over a model that is known. A section is null only when the binder
   * has already refused it and looks for further errors.
   *
   * @throws IllegalArgumentException with lines {@code optimizer.KEY: expected ..., found ...}
   */
  static void check(
      @Nullable ModelSpec model, @Nullable Adapter adapter, @Nullable Descent descent) {
    if (model == null || adapter == null || !(descent instanceof Optimizer rule)) {
      return;
    }
    try {
      List<Param> trained = model.family().map(known -> trained(known, adapter)).orElse(List.of());
      if (!trained.isEmpty()) {
        rule.check(trained);
        trained.forEach(p -> rule.ruleOf(p).state(p, p.shape()));
      }
    } catch (PlanException unfit) {
      throw new IllegalArgumentException(unfit.getMessage(), unfit);
    }
  }

  /** Whatever the vocabulary is: tables and heads are no hidden matrices. */
  private static List<Param> trained(ModelFamily model, Adapter adapter) {
    ModelFamily known = model.vocabulary().isPresent() ? model : model.withVocabulary(1);
    Projection projection = adapter.projection(known, 0);
    GraphBuilder b = new GraphBuilder();
    known.logits(b, ModelInputs.declare(b, 1, 1, false), projection);
    return b.build().params().stream()
        .filter(p -> !p.demand().equals(Demand.none()))
        .map(p -> projection.columns(p).map(TrainedColumns::delta).orElse(p))
        .toList();
  }
}
