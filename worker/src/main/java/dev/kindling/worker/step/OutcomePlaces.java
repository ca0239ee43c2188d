package dev.kindling.worker.step;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the numbers of a step's outcome lie, looked up once: a step leaves no garbage.
 *
 * @param spans by slot of the memory, then by output
 * @param size numbers of one outcome
 */
record OutcomePlaces(List<List<Span>> spans, int size) {
  /**
   * @param outputs names, in the order of {@link StepOutcome}
   */
  static OutcomePlaces of(Memory memory, List<String> outputs) {
    List<List<Span>> spans = new ArrayList<>();
    for (int slot = 0; slot < memory.slots(); slot++) {
      int ofSlot = slot;
      spans.add(outputs.stream().map(name -> memory.span(name, ofSlot)).toList());
    }
    long bytes = spans.get(0).stream().mapToLong(Span::bytes).sum();
    return new OutcomePlaces(spans, Math.toIntExact(bytes / Float.BYTES));
  }

  /** Copies the numbers of a slot to {@code row}, from {@code at} on. */
  void read(int slot, float[] row, int at) {
    int to = at;
    List<Span> outputs = spans.get(slot);
    for (int output = 0; output < outputs.size(); output++) {
      Span span = outputs.get(output);
      long count = span.bytes() / Float.BYTES;
      for (int i = 0; i < count; i++) {
        row[to++] = span.getFloat(i);
      }
    }
  }

  /** First number of an output. */
  float first(int slot, int output) {
    return spans.get(slot).get(output).getFloat(0);
  }
}
