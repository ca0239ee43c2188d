package dev.kindling.worker.adapt;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.nf4.Nf4Reader;
import dev.kindling.worker.model.FirstValues;
import dev.kindling.worker.model.Nf4Weight;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * First values as a run with packed matrices sees them: each of these is packed and unpacked. The
 * last one stays packed, because whoever reads a matrix reads on in it.
 */
final class Nf4Values implements FirstValues {
  private final FirstValues first;
  private final Map<String, Nf4Weight> packed;
  private @Nullable Nf4Weight present;
  private List<Span> spans = List.of();

  /**
   * @param packed by the name of the matrix
   */
  Nf4Values(FirstValues first, Map<String, Nf4Weight> packed) {
    this.first = first;
    this.packed = packed;
  }

  @Override
  public synchronized void fill(Param param, long from, Span target) {
    Nf4Weight weight = packed.get(param.name());
    if (weight == null) {
      first.fill(param, from, target);
      return;
    }
    if (present == null || !present.equals(weight)) {
      present = null;
      spans.forEach(Span::close);
      spans = weight.variables().stream().map(Nf4Values::span).toList();
      weight.write(first, spans);
      present = weight;
    }
    int count = Math.toIntExact(target.bytes() / Float.BYTES);
    new Nf4Reader(spans.get(0), spans.get(1), spans.get(2)).read(from, count, target, 0);
  }

  private static Span span(Variable variable) {
    return Span.allocate(variable.type().bytes());
  }
}
