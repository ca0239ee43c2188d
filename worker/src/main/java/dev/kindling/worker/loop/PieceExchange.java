package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.TensorOwners;
import dev.kindling.worker.checkpoint.TensorSource;
import dev.kindling.worker.shard.Held;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Whole tensors on the ranks that write them, made of the pieces of all ranks. Works in rounds: in
 * round k every rank gets the pieces of the k-th tensor it writes, so that all write at the same
 * time and none holds more than one tensor beside its state. All ranks run all rounds, even one
 * that can no longer write: the others wait for its pieces.
 */
final class PieceExchange implements AutoCloseable {
  private final Memory memory;
  private final Communicator data;

  /** By rank, what it writes, in order of names. */
  private final List<List<Held>> written = new ArrayList<>();

  private final Span staging;
  private int rounds;
  private String lastRead = "";

  PieceExchange(Memory memory, Communicator data, List<Held> tensors) {
    this.memory = memory;
    this.data = data;
    Map<String, Long> bytes = new LinkedHashMap<>();
    tensors.forEach(held -> bytes.put(held.name(), bytes(held.whole())));
    Map<String, Integer> owners = TensorOwners.of(bytes, data.worldSize());
    for (int rank = 0; rank < data.worldSize(); rank++) {
      int owner = rank;
      written.add(
          tensors.stream()
              .filter(held -> owners.getOrDefault(held.name(), -1) == owner)
              .sorted(Comparator.comparing(Held::name))
              .toList());
    }
    staging =
        Span.allocate(
            own().stream()
                .filter(held -> !held.isWhole())
                .mapToLong(held -> bytes(held.whole()))
                .max()
                .orElse(0));
  }

  private static long bytes(Shape shape) {
    return shape.elements() * DType.F32.bytes();
  }

  private List<Held> own() {
    return written.get(data.rank());
  }

  /** What this rank writes, in order of names; to be asked in that order. */
  List<TensorSource> sources() {
    List<TensorSource> sources = new ArrayList<>();
    for (int round = 0; round < own().size(); round++) {
      sources.add(new Source(round, own().get(round)));
    }
    return sources;
  }

  private final class Source implements TensorSource {
    private final int round;
    private final Held held;

    Source(int round, Held held) {
      this.round = round;
      this.held = held;
    }

    @Override
    public String name() {
      return held.name();
    }

    @Override
    public Shape shape() {
      return held.whole();
    }

    @Override
    public DType dtype() {
      return DType.F32;
    }

    @Override
    public Span whole() {
      while (rounds <= round) {
        exchange(rounds++);
      }
      return held.isWhole() ? fetched(held) : staging.slice(0, bytes(held.whole()));
    }
  }

  private void exchange(int round) {
    for (int owner = 0; owner < written.size(); owner++) {
      List<Held> list = written.get(owner);
      Held held = round < list.size() ? list.get(round) : null;
      if (held == null || held.isWhole()) {
        continue;
      }
      Span piece = fetched(held);
      if (owner == data.rank()) {
        gather(piece);
      } else {
        data.send(piece, owner);
      }
    }
  }

  private void gather(Span piece) {
    long bytes = piece.bytes();
    for (int rank = 0; rank < data.worldSize(); rank++) {
      Span place = staging.slice(rank * bytes, bytes);
      if (rank == data.rank()) {
        place.buffer().put(0, piece.buffer(), 0, (int) bytes);
      } else {
        data.receive(place, rank);
      }
    }
  }

  /** The rank's own bytes on the host; the view of the tensor before is given back. */
  private Span fetched(Held held) {
    if (!lastRead.isEmpty() && !lastRead.equals(held.name())) {
      memory.release(lastRead);
    }
    lastRead = held.name();
    memory.fetch(held.name());
    return memory.span(held.name());
  }

  /** Runs the rounds that are left, for the other ranks. */
  void finish() {
    int last = written.stream().mapToInt(List::size).max().orElse(0);
    while (rounds < last) {
      exchange(rounds++);
    }
  }

  @Override
  public void close() {
    if (!lastRead.isEmpty()) {
      memory.release(lastRead);
    }
    staging.close();
  }
}
