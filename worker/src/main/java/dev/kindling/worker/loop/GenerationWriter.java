package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.CommitRequest;
import dev.kindling.worker.checkpoint.PartDescriptor;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.RankParts;
import dev.kindling.worker.checkpoint.TensorSource;
import dev.kindling.worker.shard.Held;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Makes a generation of what the ranks hold: every rank writes the tensors it owns, rank 0 commits,
 * and all ranks learn whether it worked.
 *
 * @param data of the ranks, for the caller's thread alone while it writes
 * @param held what this rank holds, by kind
 */
record GenerationWriter(
    CheckpointStore store,
    Communicator data,
    RunIdentity identity,
    Map<PartKind, List<Held>> held) {
  private static final String OK = "ok ";
  private static final String FAILED = "failed ";

  /**
   * All ranks together. Trouble of the storage is a verdict.
   *
   * @throws dev.kindling.kernels.backend.CollectiveException if a rank is lost
   */
  Verdict write(SavePoint point, Contents contents) {
    List<PartDescriptor> own = new ArrayList<>();
    String failure = writeParts(point, contents, own);
    List<String> all = TextExchange.allGather(data, failure.isEmpty() ? lines(own) : failure);
    Verdict verdict =
        Verdict.decode(
            SoloWork.told(
                data,
                () -> commit(point, all).encode(),
                () ->
                    store
                        .storage()
                        .hung()
                        .map(text -> new Verdict(Verdict.Kind.HUNG, text).encode())));
    if (verdict.kind() == Verdict.Kind.FAILED) {
      // A fenced run leaves its files to the retention of the run that fenced it.
      store.discard(identity.epoch(), point.step(), point.suffix(), own);
    }
    return verdict;
  }

  /** Adds what this rank wrote, even if not all of it; returns the failure, or nothing. */
  private String writeParts(SavePoint point, Contents contents, List<PartDescriptor> written) {
    String failure = "";
    for (PartKind kind : PartKind.values()) {
      try (PieceExchange pieces =
          new PieceExchange(contents, data, held.getOrDefault(kind, List.of()), store.cut())) {
        if (failure.isEmpty()) {
          RankParts parts = new RankParts(kind, data.rank(), pieces.partCounts());
          failure = writeParts(point, parts, pieces.sources(), written);
        }
        pieces.finish();
      }
    }
    return failure;
  }

  /** Adds the descriptors; returns why there are none, or nothing. */
  private String writeParts(
      SavePoint point, RankParts parts, List<TensorSource> tensors, List<PartDescriptor> written) {
    try {
      written.addAll(
          store.writeParts(identity.epoch(), point.step(), point.suffix(), parts, tensors));
      return "";
    } catch (CheckpointException failed) {
      return FAILED + "rank " + data.rank() + ": " + failed.getMessage();
    }
  }

  /** For the wire, one a line. */
  private static String lines(List<PartDescriptor> parts) {
    StringBuilder lines = new StringBuilder(OK);
    parts.forEach(part -> lines.append(part.encode()).append('\n'));
    return lines.toString();
  }

  private Verdict commit(SavePoint point, List<String> written) {
    List<PartDescriptor> parts = new ArrayList<>();
    for (String lines : written) {
      if (!lines.startsWith(OK)) {
        return new Verdict(Verdict.Kind.FAILED, lines.substring(FAILED.length()));
      }
      lines.substring(OK.length()).lines().map(PartDescriptor::decode).forEach(parts::add);
    }
    try {
      return new Verdict(
          Verdict.Kind.COMMITTED,
          store.commit(
              new CommitRequest(
                  identity.epoch(),
                  point.step(),
                  point.suffix(),
                  data.worldSize(),
                  parts,
                  point.state(),
                  identity.facts())));
    } catch (CheckpointException failed) {
      return new Verdict(
          failed.isFenced() ? Verdict.Kind.FENCED : Verdict.Kind.FAILED,
          String.valueOf(failed.getMessage()));
    }
  }
}
