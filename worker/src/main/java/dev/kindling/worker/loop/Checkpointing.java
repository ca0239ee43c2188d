package dev.kindling.worker.loop;

import dev.kindling.comm.rendezvous.TextExchange;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.DType;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.event.CheckpointSaved;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.shard.Held;
import dev.kindling.worker.step.StepProgram;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Saves and restores the state of all ranks. Where the host has room for a snapshot, steps go on
 * while it is written; a save that is due meanwhile is left out, since a storage that is slower
 * than the interval can't be helped by more of them.
 */
final class Checkpointing implements AutoCloseable {
  private static final String BUSY = "busy";
  private static final String LOST = "lost ";
  private static final String FENCED = "fenced ";
  private static final double NANOS_PER_MILLI = 1e6;

  private final CheckpointStore store;
  private final Communicator data;
  private final EventSink events;
  private final RunIdentity identity;
  private final StepProgram program;
  private final GenerationWriter foreground;
  private @Nullable BackgroundSave background;
  private volatile String lastCommit = "";
  private int tries;
  private boolean slow;

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
    this.foreground =
        new GenerationWriter(
            store,
            data,
            identity,
            SavedTensors.of(program, identity.plan().sync(), data.worldSize()));
  }

  /**
   * From here on steps go on while a checkpoint is written, unless a host has no room for a
   * snapshot. All ranks together.
   *
   * @param connect opens a communicator of the same ranks that nobody else uses
   */
  void saveBeside(Supplier<Communicator> connect) {
    List<String> variables = new ArrayList<>();
    for (List<Held> kind : foreground.held().values()) {
      kind.stream()
          .filter(held -> held.owner() == Held.ANY || held.owner() == data.rank())
          .forEach(held -> variables.add(held.name()));
    }
    Snapshot snapshot = null;
    String refusal = "";
    try {
      snapshot = program.memory().snapshot(variables);
    } catch (DeviceException full) {
      refusal = "rank " + data.rank() + ": " + full.getMessage();
    }
    List<String> refusals =
        TextExchange.allGather(data, refusal).stream().filter(text -> !text.isEmpty()).toList();
    if (snapshot != null && refusals.isEmpty()) {
      Communicator beside = connect.get();
      GenerationWriter writer = new GenerationWriter(store, beside, identity, foreground.held());
      background = new BackgroundSave(writer, beside, snapshot);
      return;
    }
    if (snapshot != null) {
      snapshot.close();
    }
    warn("checkpoints stop the steps: " + refusals.get(0));
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
    for (Map.Entry<PartKind, List<Held>> kind : foreground.held().entrySet()) {
      List<HeldTarget> targets =
          kind.getValue().stream()
              .map(held -> new HeldTarget(program.memory(), held, data.rank()))
              .toList();
      store.load(generation, kind.getKey(), targets);
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
    settle();
    SoloWork.told(
        data,
        () -> {
          store.takeBack(identity.epoch(), step);
          return "";
        });
    return restore();
  }

  /**
   * Saves after the given progress. All ranks together.
   *
   * @param last wait for the commit and throw when it fails; otherwise a failure is an event and
   *     training goes on with the last good generation
   * @throws CheckpointException on every rank, if the last save failed, or any failed because a
   *     newer epoch fenced this run: no later save could succeed either
   */
  void save(Progress progress, boolean last) {
    long start = System.nanoTime();
    if (last) {
      settle();
    } else if (!mayBegin(progress.step())) {
      return;
    }
    SavePoint point = new SavePoint(identity.suffix(tries++), identity.state(progress));
    BackgroundSave beside = background;
    if (beside != null && !last) {
      beside.begin(point, start, (verdict, stall) -> ended(point, verdict, start, stall));
      return;
    }
    Verdict verdict = foreground.write(point, program.memory()::fetch);
    ended(point, verdict, start, millisSince(start));
    if (verdict.kind() == Verdict.Kind.FENCED) {
      throw new CheckpointException(verdict.text());
    }
    if (!verdict.committed() && last) {
      throw new CheckpointException("the last checkpoint could not be saved: " + verdict.text());
    }
  }

  /** Whether all ranks are free; the same on all of them. */
  private boolean mayBegin(long step) {
    BackgroundSave beside = background;
    boolean busy = beside != null && beside.isBusy();
    String own = busy ? BUSY : store.storage().isBusy() ? store.storage().location() : "";
    List<String> hindrances =
        agree(own).stream().filter(hindrance -> !hindrance.isEmpty()).toList();
    if (hindrances.contains(BUSY)) {
      leaveOut(step);
    } else if (!hindrances.isEmpty() && data.rank() == 0) {
      String hung = hindrances.get(0) + ": an operation of an earlier save has not ended";
      events.emit(new CheckpointSaved(0, step, "", bytes(), 0, 0, hung));
    }
    return hindrances.isEmpty();
  }

  /** Waits for the save that is under way. All ranks together. */
  private void settle() {
    BackgroundSave beside = background;
    if (beside != null) {
      beside.settle();
      agree("");
    }
  }

  /**
   * Tells all ranks a word of each. Where a save in the background lost a rank there will be no
   * other; where one was fenced this run ends.
   */
  private List<String> agree(String own) {
    BackgroundSave beside = background;
    if (beside == null) {
      return TextExchange.allGather(data, own);
    }
    Throwable lost = beside.failure();
    Verdict verdict = beside.verdict();
    String word = lost != null ? LOST + lost : own;
    if (verdict != null && verdict.kind() == Verdict.Kind.FENCED) {
      word = FENCED + verdict.text();
    }
    List<String> all = TextExchange.allGather(data, word);
    for (String told : all) {
      if (told.startsWith(FENCED)) {
        throw new CheckpointException(told.substring(FENCED.length()));
      }
    }
    Optional<String> loss = all.stream().filter(told -> told.startsWith(LOST)).findFirst();
    if (loss.isPresent()) {
      background = null;
      beside.close();
      warn("checkpoints stop the steps from here on: " + loss.get());
    }
    return all.stream().map(told -> told.startsWith(LOST) ? "" : told).toList();
  }

  private void leaveOut(long step) {
    if (!slow) {
      slow = true;
      warn(
          "step "
              + step
              + ": the checkpoint before is still being written, this one is left out; said once");
    }
  }

  private void warn(String text) {
    if (data.rank() == 0) {
      events.emit(new LogLine(0, LogLine.Level.WARN, text));
    }
  }

  private void ended(SavePoint point, Verdict verdict, long start, double stallMillis) {
    boolean ok = verdict.committed();
    if (ok) {
      lastCommit = verdict.text();
    }
    if (data.rank() == 0) {
      events.emit(
          new CheckpointSaved(
              0,
              point.step(),
              ok ? verdict.text() : "",
              bytes(),
              millisSince(start),
              stallMillis,
              ok ? "" : verdict.text()));
    }
  }

  private static double millisSince(long start) {
    return (System.nanoTime() - start) / NANOS_PER_MILLI;
  }

  /** Id of the newest generation that this run loaded or committed; empty if none. */
  String lastCommit() {
    return lastCommit;
  }

  private long bytes() {
    long elements = 0;
    for (List<Held> kind : foreground.held().values()) {
      elements += kind.stream().mapToLong(held -> held.whole().elements()).sum();
    }
    return elements * DType.F32.bytes();
  }

  @Override
  public void close() {
    BackgroundSave beside = background;
    background = null;
    if (beside != null) {
      beside.close();
    }
  }
}
