package dev.kindling.worker.step;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.optim.outer.OuterMethod;
import dev.kindling.optim.outer.OuterSentences;
import dev.kindling.optim.outer.OuterStep;
import dev.kindling.worker.shard.Held;
import java.util.List;
import java.util.function.Function;

/**
 * What a replica holds beside weights and the state of its inner optimizer. Between rounds an
 * anchor equals its weight, so it is none of this.
 */
public record OuterState(StepProgram program, OuterMethod method) {
  /** Of all trained parameters. */
  public List<Held> momenta() {
    return each(OuterSentences::momentum);
  }

  /** What travels; none of a method without a delay, which leaves nothing there. */
  public List<Held> payload() {
    OuterStep step = method.step();
    if (!step.late()) {
      return List.of();
    }
    return new OuterSentences(step, trained()).payloads().stream().map(OuterState::held).toList();
  }

  /** What a replica sent, where replicas differ. */
  public List<Held> kept() {
    return method.step().replicasDiffer() ? each(OuterSentences::kept) : List.of();
  }

  private List<Param> trained() {
    return HeldTensors.trained(program.params());
  }

  private List<Held> each(Function<Param, String> name) {
    return trained().stream()
        .map(p -> new Held(name.apply(p), p.shape(), 0, p.shape().elements()))
        .toList();
  }

  private static Held held(Variable variable) {
    long elements = variable.type().shape().elements();
    return new Held(variable.name(), variable.type().shape(), 0, elements);
  }
}
