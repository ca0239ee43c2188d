package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.memory.Span;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A second copy of variables; taking it is one pass over memory, while which nothing runs. */
final class CpuSnapshot implements Snapshot {
  private final CpuMemory memory;
  private final Map<String, Span> copies = new LinkedHashMap<>();

  CpuSnapshot(CpuMemory memory, List<String> variables) {
    this.memory = memory;
    try {
      for (String variable : variables) {
        copies.put(variable, Span.allocate(memory.span(variable).bytes()));
      }
    } catch (OutOfMemoryError full) {
      close();
      throw new DeviceException("cpu: no room for a snapshot: " + full.getMessage(), full);
    } catch (RuntimeException refused) {
      close();
      throw refused;
    }
  }

  @Override
  public void take() {
    copies.forEach(
        (variable, copy) -> copy.buffer().put(0, memory.span(variable).buffer(), 0, bytes(copy)));
  }

  private static int bytes(Span span) {
    return Math.toIntExact(span.bytes());
  }

  @Override
  public void await() {}

  @Override
  public void fetch(String variable, long from, Span target) {
    Span copy = copies.get(variable);
    if (copy == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this snapshot");
    }
    target.buffer().put(0, copy.buffer(), Math.toIntExact(from), bytes(target));
  }

  @Override
  public long bytes() {
    return copies.values().stream().mapToLong(Span::bytes).sum();
  }

  @Override
  public void close() {
    copies.values().forEach(Span::close);
    copies.clear();
  }
}
