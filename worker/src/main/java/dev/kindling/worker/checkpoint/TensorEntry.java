package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.graph.Shape;
import java.util.List;

/**
 * One tensor of a safetensors file.
 *
 * @param dims extents, outermost first; empty for a scalar
 * @param begin first byte, counted from the end of the header
 * @param end byte after the last
 */
public record TensorEntry(
    String name, SafetensorsType dtype, List<Long> dims, long begin, long end) {
  public TensorEntry {
    dims = List.copyOf(dims);
  }

  public long bytes() {
    return end - begin;
  }

  static List<Long> dims(Shape shape) {
    return shape.dims().stream().map(Integer::longValue).toList();
  }
}
