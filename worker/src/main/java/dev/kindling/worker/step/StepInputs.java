package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.op.Dropout;
import dev.kindling.worker.model.ModelInputs;
import java.nio.IntBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Memory of one micro-batch, as views of the backend's input arena.
 *
 * @param tokens I32 [T] token ids
 * @param targets I32 [T] ids of the next tokens, -100 = does not count
 * @param positions I32 [T] position within the sequence or document
 * @param segments I32 [T] document number within the sequence; null if documents may see each other
 * @param place I32 [2] where in the run the micro-batch stands; null where nothing depends on it
 */
public record StepInputs(
    IntBuffer tokens,
    IntBuffer targets,
    IntBuffer positions,
    @Nullable IntBuffer segments,
    @Nullable IntBuffer place) {
  /**
   * @param prefix of the names of the variables
   */
  static StepInputs of(
      Memory memory, int slot, String prefix, boolean maskDocuments, boolean placed) {
    return new StepInputs(
        ints(memory, slot, prefix + ModelInputs.TOKENS),
        ints(memory, slot, prefix + StepGraphs.TARGETS),
        ints(memory, slot, prefix + ModelInputs.POSITIONS),
        maskDocuments ? ints(memory, slot, prefix + ModelInputs.SEGMENTS) : null,
        placed ? ints(memory, slot, Dropout.PLACE) : null);
  }

  /** Says where in the run the micro-batch stands: the number of its first token, from 0. */
  public void place(long firstToken) {
    if (place != null) {
      place.put(0, (int) firstToken);
      place.put(1, (int) (firstToken >>> Integer.SIZE));
    }
  }

  private static IntBuffer ints(Memory memory, int slot, String name) {
    return memory.span(name, slot).buffer().asIntBuffer();
  }

  /** Token 0 everywhere, every target counted. */
  void fillForDryRun() {
    for (int i = 0; i < tokens.limit(); i++) {
      tokens.put(i, 0);
      targets.put(i, 0);
      positions.put(i, 0);
      if (segments != null) {
        segments.put(i, 0);
      }
    }
  }
}
