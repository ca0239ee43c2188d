package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Optimizer;
import dev.kindling.optim.rule.UpdateRule;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the host writes what varies with the step, looked up once: a step leaves no garbage.
 *
 * @param rules of the optimizer, one block each
 * @param blocks by slot of the memory, then by rule
 */
record StepBlocks(List<UpdateRule> rules, List<List<Span>> blocks) {
  static StepBlocks of(Optimizer optimizer, Memory memory) {
    List<UpdateRule> rules = optimizer.rules();
    List<List<Span>> blocks = new ArrayList<>();
    for (int slot = 0; slot < memory.slots(); slot++) {
      List<Span> ofSlot = new ArrayList<>();
      for (int block = 0; block < rules.size(); block++) {
        ofSlot.add(memory.span(GraphBuilder.stepName(block), slot));
      }
      blocks.add(ofSlot);
    }
    return new StepBlocks(rules, blocks);
  }

  /**
   * @param update number of the update, from 1
   * @param lrFactor the schedule's factor
   */
  void fill(int slot, long update, double lrFactor) {
    Optimizer.fillSteps(rules, blocks.get(slot), update, lrFactor);
  }
}
