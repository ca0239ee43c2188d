package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.Storage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Writes the parts of one rank, several at a time: the caller's thread alone asks the sources,
 * since these sit behind a device and a communicator, and hands pieces to lanes, which hash and
 * write. SHA-256 over a file, and over each tensor, is a chain that no two threads can share; files
 * are what runs side by side. Beside the state there are two pieces for each lane, 32 MiB at most.
 */
final class PartsWriter {
  private final Storage storage;
  private final String folder;
  private final RankParts parts;
  private final PartCut cut;

  /** The first failure of a lane or of a source; it ends all others. */
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  PartsWriter(Storage storage, String folder, RankParts parts, PartCut cut) {
    this.storage = storage;
    this.folder = folder;
    this.parts = parts;
    this.cut = cut;
  }

  /** Writes all and forces it to disk; descriptors in the order of their parts. */
  List<PartDescriptor> write(List<? extends TensorSource> tensors) {
    List<TensorSource> sorted = new ArrayList<>(tensors);
    sorted.sort(Comparator.comparing(TensorSource::name));
    List<Long> bytes = sorted.stream().map(TensorSource::bytes).toList();
    requireCount(cut.parts(bytes));
    List<PartLane> lanes = lanes(sorted, bytes);
    try {
      feed(lanes, sorted, cut.order(bytes));
      lanes.forEach(PartLane::end);
    } catch (RuntimeException | Error source) {
      failure.compareAndSet(null, source);
    }
    lanes.forEach(PartLane::await);
    if (failure.get() != null) {
      lanes.forEach(PartLane::drop);
    }
    rethrow();
    List<PartDescriptor> written = new ArrayList<>();
    lanes.forEach(lane -> written.addAll(lane.written()));
    written.sort(Comparator.comparing(PartDescriptor::file));
    return written;
  }

  private void requireCount(int found) {
    if (found != parts.count()) {
      throw new IllegalArgumentException(
          "rank "
              + parts.rank()
              + ": expected tensors for "
              + parts.count()
              + " parts, found enough for "
              + found);
    }
  }

  private List<PartLane> lanes(List<TensorSource> sorted, List<Long> bytes) {
    List<List<TensorSource>> ofPart = new ArrayList<>();
    for (int part = 0; part < parts.count(); part++) {
      ofPart.add(new ArrayList<>());
    }
    List<Integer> partOf = cut.partOf(bytes);
    for (int tensor = 0; tensor < sorted.size(); tensor++) {
      ofPart.get(partOf.get(tensor)).add(sorted.get(tensor));
    }
    int count = Math.min(PartCut.LANES, ofPart.size());
    List<PartLane> lanes = new ArrayList<>();
    for (int lane = 0; lane < count; lane++) {
      List<PartLane.Part> own = new ArrayList<>();
      for (int part = lane; part < ofPart.size(); part += PartCut.LANES) {
        own.add(new PartLane.Part(part, parts.file(part), ofPart.get(part)));
      }
      lanes.add(new PartLane(storage, folder, parts, own, failure));
    }
    return lanes;
  }

  private void feed(List<PartLane> lanes, List<TensorSource> sorted, List<PartCut.Piece> order) {
    for (PartCut.Piece piece : order) {
      PartLane lane = lanes.get(piece.part() % PartCut.LANES);
      Span buffer = lane.freeBuffer();
      if (failure.get() != null) {
        return;
      }
      TensorSource tensor = sorted.get(piece.tensor());
      tensor.read(piece.from(), buffer.slice(0, piece.bytes()));
      lane.append(piece, tensor.name(), buffer);
    }
  }

  /** As it was met: an exception of the caller's own kind stays one. */
  private void rethrow() {
    Throwable failed = failure.get();
    if (failed instanceof Error error) {
      throw error;
    }
    if (failed instanceof RuntimeException unchecked) {
      throw unchecked;
    }
  }
}
