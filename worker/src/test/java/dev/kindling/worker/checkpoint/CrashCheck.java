package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.CrashState;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What a restart makes of the state that a crash left. */
public final class CrashCheck {
  /** A promise that a state breaks. */
  public enum Broken {
    /** Commits are there and none can be loaded. */
    NONE_LOADABLE,
    /** The selected generation is older than an acknowledged one, or unknown. */
    WRONG_GENERATION,
    /** The selected generation does not hold the bytes of its step. */
    WRONG_BYTES,
    /** A commit is listed and its generation does not verify. */
    TORN,
    /** Fewer generations can be restored than were promised. */
    TOO_FEW,
    /** The run cannot go on, or what it leaves behind is not tidy. */
    STUCK
  }

  private final Map<Broken, String> broken = new EnumMap<>(Broken.class);
  private final Storage storage;

  private CrashCheck(Storage storage) {
    this.storage = storage;
  }

  /** Every broken promise with what was found in its place; nothing if all hold. */
  static Map<Broken, String> broken(CrashState state, CrashScenario.Promise promise, boolean goOn) {
    CrashCheck check = new CrashCheck(state.storage().get());
    try {
      check.select(promise);
      if (check.broken.isEmpty() && goOn) {
        check.goOn();
      }
    } catch (IOException | RuntimeException met) {
      check.broken.put(Broken.STUCK, String.valueOf(met));
    }
    return check.broken;
  }

  private void select(CrashScenario.Promise promise) {
    CheckpointStore store = TinyRun.open(storage);
    List<String> refusals = new ArrayList<>();
    Optional<Generation> selected;
    try {
      selected = store.newestValid(refusals);
    } catch (CheckpointException none) {
      broken.put(Broken.NONE_LOADABLE, String.valueOf(none.getMessage()));
      return;
    }
    String id = selected.map(Generation::id).orElse(CrashScenario.NONE);
    if (!promise.selectable().contains(id)) {
      broken.put(
          Broken.WRONG_GENERATION,
          "expected one of "
              + promise.selectable()
              + ", found "
              + (id.isEmpty() ? "none" : id)
              + ", refused "
              + refusals);
    }
    if (selected.isEmpty() && !store.neverCommitted()) {
      broken.put(Broken.NONE_LOADABLE, "no generation, and no fresh start either");
    }
    selected.ifPresent(generation -> requireBytes(store, generation));
    int restorable = 0;
    for (String commit : store.commits()) {
      try {
        store.generation(commit);
        restorable++;
      } catch (CheckpointException torn) {
        broken.put(Broken.TORN, String.valueOf(torn.getMessage()));
      }
    }
    if (restorable < promise.restorable()) {
      broken.put(
          Broken.TOO_FEW, "expected " + promise.restorable() + " that verify, found " + restorable);
    }
  }

  private void requireBytes(CheckpointStore store, Generation generation) {
    try {
      TinyRun.assertHolds(store, generation, generation.step());
    } catch (AssertionError | CheckpointException wrong) {
      broken.put(Broken.WRONG_BYTES, String.valueOf(wrong.getMessage()));
    }
  }

  /** A new start claims the run, saves, and clears away what the old one left. */
  private void goOn() throws IOException {
    CheckpointStore store = TinyRun.open(storage);
    store.newestValid(new ArrayList<>());
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 7, 1);
    TinyRun.save(store, epoch, 8, 1);
    Generation newest = store.newestValid(new ArrayList<>()).orElseThrow();
    TinyRun.assertHolds(store, newest, 8);
    if (newest.epoch() != epoch || store.commits().size() != 2) {
      broken.put(Broken.STUCK, "after two saves in epoch " + epoch + ": " + store.commits());
    }
    requireTidy(store);
  }

  private void requireTidy(CheckpointStore store) throws IOException {
    Set<String> needed = new HashSet<>();
    for (String id : store.commits()) {
      needed.add(store.generation(id).manifest().folder());
    }
    Set<String> found = new HashSet<>();
    for (StorageEntry epoch : storage.list(Layout.DATA)) {
      String folder = Layout.DATA + "/" + epoch.name();
      for (StorageEntry generation : storage.list(folder)) {
        found.add(folder + "/" + generation.name());
      }
    }
    if (!found.equals(needed) || !storage.list(Layout.REVOKED).isEmpty()) {
      broken.put(
          Broken.STUCK,
          "expected " + needed + " alone, found " + found + " " + storage.list(Layout.REVOKED));
    }
  }
}
