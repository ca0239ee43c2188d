package dev.kindling.worker.loop;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Shape;
import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.checkpoint.PartCut;
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
 * round k every rank gets the k-th {@link PartCut.Piece} of what it writes, so that all write at
 * the same time and none holds more than a piece beside its state. All ranks run all rounds, even
 * one that can no longer write: the others wait for its bytes.
 */
final class PieceExchange implements AutoCloseable {
  private final Contents contents;
  private final Communicator data;

  /** By rank, what it writes, in order of names. */
  private final List<List<Held>> written = new ArrayList<>();

  /** By rank, the pieces of its tensors as it asks for them. */
  private final List<List<PartCut.Piece>> order = new ArrayList<>();

  private final List<Integer> partCounts = new ArrayList<>();

  /** What this rank writes in a round. */
  private final Span staging;

  /** What it sends to those that write; its own bytes stay in staging meanwhile. */
  private final Span outgoing;

  /** Rounds that ended on this rank. */
  private int rounds;

  /** From the begin of a round to its end: one that threw stays open for ever. */
  private boolean inRound;

  PieceExchange(Contents contents, Communicator data, List<Held> tensors, PartCut cut) {
    this.contents = contents;
    this.data = data;
    Map<String, Long> bytes = new LinkedHashMap<>();
    tensors.stream()
        .filter(held -> held.owner() == Held.ANY)
        .forEach(held -> bytes.put(held.stored(), bytes(held.whole())));
    Map<String, Integer> owners = TensorOwners.of(bytes, data.worldSize());
    for (int rank = 0; rank < data.worldSize(); rank++) {
      int owner = rank;
      List<Held> list =
          tensors.stream()
              .filter(held -> owners.getOrDefault(held.stored(), held.owner()) == owner)
              .sorted(Comparator.comparing(Held::stored))
              .toList();
      List<Long> sizes = list.stream().map(held -> bytes(held.whole())).toList();
      written.add(list);
      order.add(cut.order(sizes));
      partCounts.add(cut.parts(sizes));
    }
    int room = tensors.stream().allMatch(Held::isWhole) ? 0 : largestPiece();
    staging = Span.allocate(room);
    outgoing = Span.allocate(room);
  }

  private int largestPiece() {
    return order.stream().flatMap(List::stream).mapToInt(PartCut.Piece::bytes).max().orElse(0);
  }

  private static long bytes(Shape shape) {
    return shape.elements() * DType.F32.bytes();
  }

  /** By rank, into how many parts its tensors go. */
  List<Integer> partCounts() {
    return partCounts;
  }

  /** What this rank writes, in order of names; pieces are to be asked for as the cut says. */
  List<TensorSource> sources() {
    List<Held> own = written.get(data.rank());
    List<TensorSource> sources = new ArrayList<>();
    for (int tensor = 0; tensor < own.size(); tensor++) {
      sources.add(new Source(tensor, own.get(tensor)));
    }
    return sources;
  }

  private final class Source implements TensorSource {
    private final int tensor;
    private final Held held;

    Source(int tensor, Held held) {
      this.tensor = tensor;
      this.held = held;
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
    public void read(long from, Span target) {
      PartCut.Piece piece = order.get(data.rank()).get(rounds);
      if (piece.tensor() != tensor || piece.from() != from || piece.bytes() != target.bytes()) {
        throw new IllegalStateException(
            "round " + rounds + ": expected a read of " + piece + ", found one of " + name());
      }
      nextRound();
      if (held.isWhole()) {
        contents.fetch(held.name(), from, target);
      } else {
        target.buffer().put(0, staging.buffer(), 0, piece.bytes());
      }
    }
  }

  /**
   * A round that broke off is not repeated, nor is another begun: the other ranks may be in the
   * middle of it and would take a message of the next for one of this.
   */
  private void nextRound() {
    if (inRound) {
      throw new CollectiveException(
          "pieces of a checkpoint: round " + rounds + " broke off, no other can follow");
    }
    inRound = true;
    exchange(rounds);
    rounds++;
    inRound = false;
  }

  private void exchange(int round) {
    for (int owner = 0; owner < written.size(); owner++) {
      List<PartCut.Piece> pieces = order.get(owner);
      if (round < pieces.size()) {
        PartCut.Piece piece = pieces.get(round);
        Held held = written.get(owner).get(piece.tensor());
        if (held.isWhole()) {
          continue;
        }
        if (owner == data.rank()) {
          gather(held, piece);
        } else {
          send(held, piece, owner);
        }
      }
    }
  }

  /** The bytes of a piece that a rank holds; ranks hold runs of one length, in their order. */
  private record Run(long from, int bytes) {
    static Run of(Held held, PartCut.Piece piece, int rank) {
      long each = held.elements() * DType.F32.bytes();
      long from = Math.max(piece.from(), rank * each);
      long to = Math.min(piece.from() + piece.bytes(), (rank + 1) * each);
      return new Run(from, (int) Math.max(0, to - from));
    }
  }

  private void gather(Held held, PartCut.Piece piece) {
    for (int rank = 0; rank < data.worldSize(); rank++) {
      Run run = Run.of(held, piece, rank);
      if (run.bytes() > 0) {
        Span place = staging.slice(run.from() - piece.from(), run.bytes());
        if (rank == data.rank()) {
          fetch(held, run, place);
        } else {
          data.receive(place, rank);
        }
      }
    }
  }

  private void send(Held held, PartCut.Piece piece, int owner) {
    Run run = Run.of(held, piece, data.rank());
    if (run.bytes() > 0) {
      Span part = outgoing.slice(0, run.bytes());
      fetch(held, run, part);
      data.send(part, owner);
    }
  }

  private void fetch(Held held, Run run, Span target) {
    contents.fetch(held.name(), run.from() - held.from() * DType.F32.bytes(), target);
  }

  /**
   * Runs the rounds that are left, for the other ranks.
   *
   * @throws CollectiveException if a round broke off
   */
  void finish() {
    int last = order.stream().mapToInt(List::size).max().orElse(0);
    while (rounds < last) {
      nextRound();
    }
  }

  @Override
  public void close() {
    staging.close();
    outgoing.close();
  }
}
