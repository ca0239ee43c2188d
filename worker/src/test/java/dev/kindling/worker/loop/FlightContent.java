package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.ValueType;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;

/** What ranks put into a payload, and whether a device holds its mean afterwards. */
final class FlightContent {
  /** Several pieces and a remainder. */
  static final Variable PAYLOAD = new Variable("p", ValueType.f32(20_000_003), Role.PAYLOAD);

  private FlightContent() {}

  private static float content(int rank, int place, int round) {
    return (rank + 1) * (1 + place % 7) + round;
  }

  static void put(Memory memory, Communicator of, int round) {
    Span values = memory.span(PAYLOAD.name());
    for (int i = 0; i < values.bytes() / Float.BYTES; i++) {
      values.putFloat(i, content(of.rank(), i, round));
    }
    memory.publish(PAYLOAD.name());
  }

  /** Prints the first element that is not the mean of small integers, rounded once. */
  static boolean averaged(Memory memory, int ranks, int round) {
    memory.fetch(PAYLOAD.name());
    Span values = memory.span(PAYLOAD.name());
    for (int i = 0; i < values.bytes() / Float.BYTES; i++) {
      float sum = 0;
      for (int rank = 0; rank < ranks; rank++) {
        sum += content(rank, i, round);
      }
      if (values.getFloat(i) != sum / ranks) {
        String wrong = "WRONG [" + i + "]: expected " + sum / ranks + ", found ";
        System.out.println(wrong + values.getFloat(i));
        return false;
      }
    }
    return true;
  }
}
