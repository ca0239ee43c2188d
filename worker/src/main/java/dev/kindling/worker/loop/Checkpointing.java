package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.graph.DType;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.CommitRequest;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartDescriptor;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.RankParts;
import dev.kindling.worker.checkpoint.TensorSource;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Saves and restores the state of all ranks: every rank writes the tensors it owns, rank 0 commits,
 * and all ranks learn whether it worked before any goes on.
 */
final class Checkpointing {
  private static final String OK = "ok ";
  private static final String FAILED = "failed ";
  private static final String FENCED = "fenced ";

  private final CheckpointStore store;
  private final Communicator data;
  private final EventSink events;
  private final RunIdentity identity;
  private final StepProgram program;
  private String lastCommit = "";
  private int tries;

  Checkpointing(
      CheckpointStore store,
      StepProgram program,
      Communicator data,
      EventSink events,
      RunIdentity identity) {
    this.store = store;
    this.data = data;
    this.events = events;
    this.identity = identity;
    this.program = program;
  }

  private List<Held> tensors(PartKind kind) {
    return switch (kind) {
      case MODEL -> program.weights();
      case OPTIMIZER -> program.state();
    };
  }

  /**
   * Loads the newest generation that verifies into the program's memory, whatever number of ranks
   * wrote it and however they were sharded. Rank 0 selects, so that a generation which goes bad
   * meanwhile cannot split the ranks.
   *
   * @return its state, empty if the run has no checkpoint yet
   * @throws CheckpointException if there are checkpoints and none can be loaded
   */
  Optional<TrainState> restore() {
    List<String> refusals = new ArrayList<>();
    String chosen =
        SoloWork.told(data, () -> store.newestValid(refusals).map(Generation::id).orElse(""));
    for (String refusal : refusals) {
      events.emit(new LogLine(0, LogLine.Level.WARN, "checkpoint refused: " + refusal));
    }
    lastCommit = chosen;
    if (chosen.isEmpty()) {
      return Optional.empty();
    }
    Generation generation = store.generation(chosen);
    for (PartKind kind : PartKind.values()) {
      List<HeldTarget> targets =
          tensors(kind).stream().map(held -> new HeldTarget(program.memory(), held)).toList();
      store.load(generation, kind, targets);
    }
    program.spread();
    return Optional.of(generation.state());
  }

  /**
   * Takes back every generation from this step on and restores the newest before it. All ranks
   * together.
   *
   * @return its state, empty if there is none
   */
  Optional<TrainState> rollBack(long step) {
    SoloWork.told(
        data,
        () -> {
          store.takeBack(identity.epoch(), step);
          return "";
        });
    return restore();
  }

  /**
   * Saves after the given progress.
   *
   * @param mustSucceed throw when the save fails; otherwise a failure is an event and training goes
   *     on with the last good generation
   * @throws CheckpointException on every rank, if the save failed and had to succeed, or failed
   *     because a newer epoch fenced this run: no later save could succeed either
   */
  void save(Progress progress, boolean mustSucceed) {
    long start = System.nanoTime();
    String suffix = identity.suffix(tries++);
    List<PartDescriptor> own = new ArrayList<>();
    String failure = writeParts(progress.step(), suffix, own);
    List<String> all = TextExchange.allGather(data, failure.isEmpty() ? lines(own) : failure);
    String verdict = SoloWork.told(data, () -> commit(progress, suffix, all));
    boolean ok = verdict.startsWith(OK);
    String rest = verdict.substring(verdict.indexOf(' ') + 1);
    if (ok) {
      lastCommit = rest;
    } else if (verdict.startsWith(FAILED)) {
      // A fenced run leaves its files to the retention of the run that fenced it.
      store.discard(identity.epoch(), progress.step(), suffix, own);
    }
    if (data.rank() == 0) {
      double millis = (System.nanoTime() - start) / 1e6;
      events.emit(
          new CheckpointSaved(0, progress.step(), ok ? rest : "", bytes(), millis, ok ? "" : rest));
    }
    if (verdict.startsWith(FENCED)) {
      throw new CheckpointException(rest);
    }
    if (!ok && mustSucceed) {
      throw new CheckpointException("the last checkpoint could not be saved: " + rest);
    }
  }

  /** Adds what this rank wrote, even if not all of it; returns the failure, or nothing. */
  private String writeParts(long step, String suffix, List<PartDescriptor> written) {
    String failure = "";
    for (PartKind kind : PartKind.values()) {
      try (PieceExchange pieces =
          new PieceExchange(program.memory(), data, tensors(kind), store.cut())) {
        if (failure.isEmpty()) {
          RankParts parts = new RankParts(kind, data.rank(), pieces.partCounts());
          failure = writeParts(step, suffix, parts, pieces.sources(), written);
        }
        pieces.finish();
      }
    }
    return failure;
  }

  /** Adds the descriptors; returns why there are none, or nothing. */
  private String writeParts(
      long step,
      String suffix,
      RankParts parts,
      List<TensorSource> tensors,
      List<PartDescriptor> written) {
    try {
      written.addAll(store.writeParts(identity.epoch(), step, suffix, parts, tensors));
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

  private String commit(Progress progress, String suffix, List<String> written) {
    List<PartDescriptor> parts = new ArrayList<>();
    for (String lines : written) {
      if (!lines.startsWith(OK)) {
        return lines;
      }
      lines.substring(OK.length()).lines().map(PartDescriptor::decode).forEach(parts::add);
    }
    try {
      TrainState state = identity.state(progress);
      return OK
          + store.commit(
              new CommitRequest(
                  identity.epoch(),
                  progress.step(),
                  suffix,
                  data.worldSize(),
                  parts,
                  state,
                  identity.facts()));
    } catch (CheckpointException failed) {
      return (failed.isFenced() ? FENCED : FAILED) + failed.getMessage();
    }
  }

  /** Id of the newest generation that this run loaded or committed; empty if none. */
  String lastCommit() {
    return lastCommit;
  }

  private long bytes() {
    long elements = 0;
    for (PartKind kind : PartKind.values()) {
      elements += tensors(kind).stream().mapToLong(held -> held.whole().elements()).sum();
    }
    return elements * DType.F32.bytes();
  }
}
