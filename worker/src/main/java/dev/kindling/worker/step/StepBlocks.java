package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.GraphBuilder;
import dev.kindling.kernels.memory.Span;
import dev.kindling.optim.rule.Descent;
import dev.kindling.optim.rule.StepFill;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the host writes what varies with the step, looked up once: a step leaves no garbage.
 *
 * @param fills one for each block
 * @param blocks by slot of the memory, then by fill
 */
record StepBlocks(List<StepFill> fills, List<List<Span>> blocks) {
  static StepBlocks of(Descent descent, Memory memory) {
    List<StepFill> fills = descent.stepFills();
    List<List<Span>> blocks = new ArrayList<>();
    for (int slot = 0; slot < memory.slots(); slot++) {
      List<Span> ofSlot = new ArrayList<>();
      for (int block = 0; block < fills.size(); block++) {
        ofSlot.add(memory.span(GraphBuilder.stepName(block), slot));
      }
      blocks.add(ofSlot);
    }
    return new StepBlocks(fills, blocks);
  }

  /**
   * @param update number of the update, from 1
   * @param lrFactor the schedule's factor
   */
  void fill(int slot, long update, double lrFactor) {
    List<Span> ofSlot = blocks.get(slot);
    for (int block = 0; block < ofSlot.size(); block++) {
      fills.get(block).fillStep(ofSlot.get(block), update, lrFactor);
    }
  }
}
