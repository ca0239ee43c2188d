package dev.kindling.worker.generate;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import java.util.List;

/** Programs of one model over one memory. Their weights come from outside, before the first run. */
public interface ModelPrograms extends AutoCloseable {
  /** The weights to fill, in declaration order. */
  List<Param> params();

  /** Where the weight of this name lives, fp32. */
  Span weight(String name);

  /** Takes over what was written to {@link #weight}. */
  void filled(String name);

  @Override
  void close();
}
