package dev.kindling.optim.rule;

import dev.kindling.kernels.graph.Expectation;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.memory.Span;
import java.util.List;
import java.util.Map;

/**
 * Stochastic gradient descent with momentum, as PyTorch defines it (no dampening).
 *
 * <pre>
 * g = scale * gradient + decay p;  u = momentum u + g
 * p = p - lr u             (heavy ball)
 * p = p - lr (g + momentum u)   (nesterov)
 * </pre>
 *
 * <p>The decay is the coupled L2 term, which enters the momentum. State: {@code momentum} in fp32,
 * 4 bytes per trained element, none for a momentum of 0. After Sutskever et al. 2013 (ICML),
 * section 2, in the form whose buffer does not contain the learning rate.
 */
public record Sgd(double lr, double momentum, boolean nesterov, double weightDecay, double clipNorm)
    implements ElementRule {

  public Sgd {
    new Expectation()
        .positive("lr", lr)
        .fraction("momentum", momentum)
        .that(!nesterov || momentum > 0, "momentum", "a number above 0 for nesterov", momentum)
        .notNegative("weight_decay", weightDecay)
        .notNegative("clip_norm", clipNorm)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("momentum", 0.0, "nesterov", false, "weightDecay", 0.0, "clipNorm", 1.0);
  }

  @Override
  public List<StateVariable> state(Param p, Shape gradient) {
    return momentum == 0 ? List.of() : List.of(new StateVariable("momentum", p, gradient));
  }

  @Override
  public void emit(
      GraphBuilder b, Param p, Value gradient, Map<String, Value> state, Value scale, Value step) {
    float decay = p.decay() ? (float) weightDecay : 0f;
    var op = new dev.kindling.kernels.graph.op.Sgd((float) momentum, decay, nesterov);
    if (momentum == 0) {
      b.add(op, b.master(p), gradient, scale, step);
    } else {
      b.add(op, b.master(p), gradient, StateVariable.of(state, "momentum"), scale, step);
    }
  }

  @Override
  public void fillStep(Span stepBlock, long update, double lrFactor) {
    StepScalars.write(stepBlock, lr * lrFactor, 1.0, 1.0, clipNorm, update);
  }
}
