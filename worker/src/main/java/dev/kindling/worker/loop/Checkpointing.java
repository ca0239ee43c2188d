package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.CommitRequest;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.NamedSpan;
import dev.kindling.worker.checkpoint.PartDescriptor;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.RankPart;
import dev.kindling.worker.checkpoint.TensorOwners;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
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
  private final Memory memory;
  private final List<NamedSpan> weights;
  private final List<NamedSpan> optimizer;
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
    this.memory = program.memory();
    this.weights = weights(program);
    this.optimizer = optimizer(program);
  }

  private static List<NamedSpan> weights(StepProgram program) {
    Memory memory = program.memory();
    List<NamedSpan> spans = new ArrayList<>();
    for (Param param : program.params()) {
      spans.add(new NamedSpan(param.name(), param.shape(), memory.span(param.name())));
    }
    return spans;
  }

  private static List<NamedSpan> optimizer(StepProgram program) {
    List<NamedSpan> spans = new ArrayList<>();
    for (Variable variable : program.state()) {
      spans.add(
          new NamedSpan(
              variable.name(), variable.type().shape(), program.memory().span(variable.name())));
    }
    return spans;
  }

  /**
   * Loads the newest generation that verifies into the program's memory. Rank 0 selects, so that a
   * generation which goes bad meanwhile cannot split the ranks.
   *
   * @return its state, empty if the run has no checkpoint yet
   * @throws CheckpointException if there are checkpoints and none can be loaded
   */
  Optional<TrainState> restore() {
    String selected = "";
    if (data.rank() == 0) {
      List<String> refusals = new ArrayList<>();
      selected = store.newestValid(refusals).map(Generation::id).orElse("");
      for (String refusal : refusals) {
        events.emit(new LogLine(0, LogLine.Level.WARN, "checkpoint refused: " + refusal));
      }
    }
    String chosen = TextExchange.allGather(data, selected).get(0);
    if (chosen.isEmpty()) {
      return Optional.empty();
    }
    Generation generation = store.generation(chosen);
    store.load(generation, PartKind.MODEL, weights);
    store.load(generation, PartKind.OPTIMIZER, optimizer);
    weights.forEach(span -> memory.publish(span.name()));
    optimizer.forEach(span -> memory.publish(span.name()));
    lastCommit = chosen;
    return Optional.of(generation.state());
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
    String own = writeParts(progress.step(), suffix);
    List<String> all = TextExchange.allGather(data, own);
    String verdict = data.rank() == 0 ? commit(progress, suffix, all) : "";
    verdict = TextExchange.allGather(data, verdict).get(0);
    boolean ok = verdict.startsWith(OK);
    String rest = verdict.substring(verdict.indexOf(' ') + 1);
    if (ok) {
      lastCommit = rest;
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

  /** Descriptors of this rank's parts, one a line, or why there are none. */
  private String writeParts(long step, String suffix) {
    try {
      int rank = data.rank();
      int worldSize = data.worldSize();
      StringBuilder lines = new StringBuilder(OK);
      for (PartKind kind : PartKind.values()) {
        List<NamedSpan> all = kind == PartKind.MODEL ? weights : optimizer;
        List<NamedSpan> owned = TensorOwners.owned(all, rank, worldSize);
        owned.forEach(span -> memory.fetch(span.name()));
        RankPart part = new RankPart(kind, rank, worldSize);
        PartDescriptor written = store.writePart(identity.epoch(), step, suffix, part, owned);
        lines.append(written.encode()).append('\n');
      }
      return lines.toString();
    } catch (CheckpointException failed) {
      return FAILED + "rank " + data.rank() + ": " + failed.getMessage();
    }
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
    long sum = 0;
    for (NamedSpan span : weights) {
      sum += span.span().bytes();
    }
    for (NamedSpan span : optimizer) {
      sum += span.span().bytes();
    }
    return sum;
  }
}
