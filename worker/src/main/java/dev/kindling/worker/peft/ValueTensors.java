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

/** Tensors whose values follow from others, as an export reads them: one is in memory at a time. */
public final class ValueTensors implements ExportedTensors {
  private final FirstValues values;
  private final Runnable closing;
  private final Map<String, Param> params = new LinkedHashMap<>();
  private @Nullable String name;
  private @Nullable Span content;

  /**
   * @param params in any order
   * @param prefix in front of their names
   * @param closing runs when this is closed
   */
  public ValueTensors(List<Param> params, String prefix, FirstValues values, Runnable closing) {
    this.values = values;
    this.closing = closing;
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
    Span whole = content;
    if (whole == null || !tensor.name().equals(name)) {
      release();
      Param param = Objects.requireNonNull(params.get(tensor.name()), tensor.name());
      whole = Span.allocate(param.type().bytes());
      values.fill(param, 0, whole);
      content = whole;
      name = tensor.name();
    }
    target.put(whole.slice(offset, target.remaining()).buffer().duplicate());
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
