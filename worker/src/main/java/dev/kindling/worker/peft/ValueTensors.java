package dev.kindling.worker.peft;

import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.ExportedTensors;
import dev.kindling.worker.checkpoint.SafetensorsType;
import dev.kindling.worker.model.FirstValues;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Tensors whose values follow from others, as an export reads them: one is in memory at a time, of
 * a larger one than {@value #WINDOW_BYTES} bytes a window of as many.
 */
public final class ValueTensors implements ExportedTensors {
  /** Few tensors are larger, and none is whose values follow from the whole of another. */
  static final long WINDOW_BYTES = 1 << 30;

  private final FirstValues values;
  private final Runnable closing;
  private final Map<String, Param> params = new LinkedHashMap<>();
  private @Nullable String name;
  private @Nullable Span content;
  private long contentFrom;
  private final long windowBytes;

  /**
   * @param params in any order
   * @param prefix in front of their names
   * @param closing runs when this is closed
   */
  public ValueTensors(List<Param> params, String prefix, FirstValues values, Runnable closing) {
    this(params, prefix, values, closing, WINDOW_BYTES);
  }

  /**
   * @param windowBytes of a tensor that are in memory at a time, a multiple of an element's
   */
  ValueTensors(
      List<Param> params, String prefix, FirstValues values, Runnable closing, long windowBytes) {
    this.values = values;
    this.closing = closing;
    this.windowBytes = windowBytes;
    params.stream()
        .sorted(Comparator.comparing(Param::name))
        .forEach(param -> this.params.put(prefix + param.name(), param));
  }

  @Override
  public List<Stored> tensors() {
    List<Stored> tensors = new ArrayList<>();
    params.forEach(
        (full, param) -> {
          List<Long> dims = param.shape().dims().stream().map(Integer::longValue).toList();
          tensors.add(new Stored(full, SafetensorsType.F32, dims, Optional.empty()));
        });
    return tensors;
  }

  @Override
  public void read(Stored tensor, long offset, ByteBuffer target) {
    while (target.hasRemaining()) {
      Span window = window(tensor.name(), offset);
      long at = offset - contentFrom;
      long bytes = Math.min(target.remaining(), window.bytes() - at);
      target.put(window.slice(at, bytes).buffer());
      offset += bytes;
    }
  }

  /** The window with that byte. */
  private Span window(String tensor, long byteOffset) {
    long from = byteOffset / windowBytes * windowBytes;
    Span window = content;
    if (window == null || !tensor.equals(name) || from != contentFrom) {
      release();
      Param param = Objects.requireNonNull(params.get(tensor), tensor);
      window = Span.allocate(Math.min(windowBytes, param.type().bytes() - from));
      content = window;
      name = null;
      values.fill(param, from / Float.BYTES, window);
      name = tensor;
      contentFrom = from;
    }
    return window;
  }

  private void release() {
    Span old = content;
    content = null;
    if (old != null) {
      old.close();
    }
  }

  @Override
  public void close() {
    release();
    closing.run();
  }
}
