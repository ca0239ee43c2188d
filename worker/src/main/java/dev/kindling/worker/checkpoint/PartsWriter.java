package dev.kindling.worker.checkpoint;

import dev.kindling.kernels.memory.Span;
import dev.kindling.worker.store.WatchedStorage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Writes the parts of one rank, several at a time: the caller's thread alone asks the sources,
 * since these sit behind a device and a communicator, and hands pieces to sinks, which hash and
 * write. SHA-256 over a file, and over each tensor, is a chain that no two threads can share; files
 * are what runs side by side. Beside the state there are two pieces for each sink, 32 MiB at most.
 */
final class PartsWriter {
  private final WatchedStorage storage;
  private final String folder;
  private final RankParts parts;
  private final PartCut cut;

  /** The first failure of a sink or of a source; it ends all others. */
  private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();

  PartsWriter(WatchedStorage storage, String folder, RankParts parts, PartCut cut) {
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
    List<PartSink> sinks = new ArrayList<>();
    Throwable ofSource = null;
    try {
      addSinks(sinks, sorted, bytes);
      feed(sinks, sorted, cut.order(bytes));
      sinks.forEach(PartSink::end);
    } catch (RuntimeException | Error met) {
      ofSource = met;
      failure.compareAndSet(null, met);
    }
    sinks.forEach(PartSink::await);
    if (failure.get() != null) {
      storage.patiently("drop-rank-" + parts.rank(), () -> sinks.forEach(PartSink::drop));
    }
    rethrow(ofSource);
    List<PartDescriptor> written = new ArrayList<>();
    sinks.forEach(sink -> written.addAll(sink.written()));
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

  /** Into the caller's list one by one: if one cannot be made, those before are the caller's. */
  private void addSinks(List<PartSink> sinks, List<TensorSource> sorted, List<Long> bytes) {
    List<List<TensorSource>> ofPart = new ArrayList<>();
    for (int part = 0; part < parts.count(); part++) {
      ofPart.add(new ArrayList<>());
    }
    List<Integer> partOf = cut.partOf(bytes);
    for (int tensor = 0; tensor < sorted.size(); tensor++) {
      ofPart.get(partOf.get(tensor)).add(sorted.get(tensor));
    }
    int count = Math.min(PartCut.SINKS, ofPart.size());
    for (int sink = 0; sink < count; sink++) {
      List<PartSink.Part> own = new ArrayList<>();
      for (int part = sink; part < ofPart.size(); part += PartCut.SINKS) {
        own.add(new PartSink.Part(part, parts.file(part), ofPart.get(part)));
      }
      sinks.add(new PartSink(storage, folder, parts, own, failure));
    }
  }

  private void feed(List<PartSink> sinks, List<TensorSource> sorted, List<PartCut.Piece> order) {
    for (PartCut.Piece piece : order) {
      PartSink sink = sinks.get(piece.part() % PartCut.SINKS);
      Span buffer = sink.freeBuffer();
      if (failure.get() != null) {
        return;
      }
      TensorSource tensor = sorted.get(piece.tensor());
      tensor.read(piece.from(), buffer.slice(0, piece.bytes()));
      sink.append(piece, tensor.name(), buffer);
    }
  }

  /**
   * As it was met: an exception of the caller's own kind stays one. That of a source wins whichever
   * came first: after it the caller's device or communicator is not to be used any more, while a
   * file that could not be written is worth a message.
   */
  private void rethrow(@Nullable Throwable ofSource) {
    Throwable first = failure.get();
    if (ofSource != null && first != null && first != ofSource) {
      ofSource.addSuppressed(first);
    }
    Throwable thrown = ofSource != null ? ofSource : first;
    if (thrown instanceof Error error) {
      throw error;
    }
    if (thrown instanceof RuntimeException unchecked) {
      throw unchecked;
    }
  }
}
