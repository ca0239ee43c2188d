package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.TensorTarget;
import dev.kindling.worker.shard.Held;

/** A tensor that is read whole, of which this rank keeps its run of elements. */
public record HeldTarget(Memory memory, Held held, int rank) implements TensorTarget {
  /** Of ranks that hold the same, or pieces of the same. */
  public HeldTarget(Memory memory, Held held) {
    this(memory, held, 0);
  }

  @Override
  public boolean isWanted() {
    return held.isReadBy(rank);
  }

  @Override
  public String name() {
    return held.stored();
  }

  @Override
  public Shape shape() {
    return held.whole();
  }

  @Override
  public DType dtype() {
    return held.dtype();
  }

  @Override
  public Span room() {
    return held.isWhole()
        ? memory.span(held.name())
        : Span.allocate(held.whole().elements() * Float.BYTES);
  }

  @Override
  public void filled(Span room) {
    if (!held.isWhole()) {
      try (room) {
        Span own = memory.span(held.name());
        int from = Math.toIntExact(held.from() * Float.BYTES);
        own.buffer().put(0, room.buffer(), from, (int) own.bytes());
      }
    }
    memory.publish(held.name());
    memory.release(held.name());
  }

  @Override
  public void dropped(Span room) {
    if (held.isWhole()) {
      memory.release(held.name());
    } else {
      room.close();
    }
  }
}
