package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Elements that lie one behind the other on both sides of a collective. Variables of one role lie
 * side by side, so many of them are often one stretch.
 *
 * @param send address of the first element to read
 * @param receive address of the first element to write
 */
record Stretch(long send, long receive, long elements, Element element) {
  /** Blocks begin on multiples of this, so what is missing to the next one is padding. */
  private static final int ALIGNMENT = Span.ALIGNMENT;

  static Stretch of(Operand from, Operand to) {
    return new Stretch(from.address(), to.address(), from.elements(), from.element());
  }

  /**
   * Joins each stretch with the one before of its element type, if they are neighbours; the padding
   * between two of them belongs to the joined stretch. Matrices in bf16 and vectors in fp32 take
   * turns in a model and lie in an arena each, so that both become one stretch.
   */
  static List<Stretch> merge(List<Stretch> stretches) {
    List<Stretch> merged = new ArrayList<>();
    Map<Element, Integer> lasts = new EnumMap<>(Element.class);
    for (Stretch next : stretches) {
      Integer last = lasts.get(next.element);
      if (last != null && merged.get(last).touches(next)) {
        merged.set(last, merged.get(last).upTo(next));
      } else {
        lasts.put(next.element, merged.size());
        merged.add(next);
      }
    }
    return merged;
  }

  private boolean touches(Stretch next) {
    long step = (bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return element == next.element && next.send - send == step && next.receive - receive == step;
  }

  private Stretch upTo(Stretch next) {
    long all = (next.send - send) / element.bytes() + next.elements;
    return new Stretch(send, receive, all, element);
  }

  long bytes() {
    return elements * element.bytes();
  }
}
