package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.ForwardingStorage;
import dev.kindling.worker.store.RecordedMedium;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.UnaryOperator;

/**
 * A run on a recorded medium, from the first epoch to a second one, with a save that was never
 * committed, one that failed, a rollback, and retention at almost every save. It notes behind which
 * call what has been promised.
 */
final class CrashScenario {
  /** Stands for a run without a checkpoint. */
  static final String NONE = "";

  /** As many generations as {@link TinyRun#open} keeps. */
  private static final int KEPT = 2;

  /**
   * What a restart must find.
   *
   * @param selectable ids, of which one is the selected generation
   * @param restorable generations that verify, at least
   */
  record Promise(Set<String> selectable, int restorable) {
    Promise {
      selectable = Set.copyOf(selectable);
    }
  }

  private final RecordedMedium medium;
  private final NavigableMap<Integer, Promise> promises = new TreeMap<>();

  /** Acknowledged, not taken back and not retired, oldest first. */
  private final List<String> acknowledged = new ArrayList<>();

  private CrashScenario(RecordedMedium medium) {
    this.medium = medium;
  }

  /** Runs it, through a protocol that may be mutated. */
  static CrashScenario run(RecordedMedium medium, UnaryOperator<Storage> protocol) {
    CrashScenario scenario = new CrashScenario(medium);
    scenario.run(scenario.new Witness(protocol.apply(medium.storage())));
    return scenario;
  }

  /** What holds after a crash behind this many calls. */
  Promise promise(int calls) {
    return promises.floorEntry(calls).getValue();
  }

  private void run(Storage storage) {
    promise(Set.of(NONE));
    CheckpointStore first = TinyRun.open(storage);
    long epoch = first.claimEpoch();
    TinyRun.save(first, epoch, 1, 1);
    TinyRun.save(first, epoch, 2, 2);
    TinyRun.write(first, epoch, 9, 1);
    TinyRun.save(first, epoch, 3, 1);
    CheckpointStore second = TinyRun.open(storage);
    second.newestValid(new ArrayList<>());
    epoch = second.claimEpoch();
    TinyRun.save(second, epoch, 4, 2);
    TinyRun.save(second, epoch, 5, 1);
    CommitRequest failed = TinyRun.write(second, epoch, 6, 2);
    second.discard(epoch, 6, TinyRun.SUFFIX, failed.parts());
    takeBack(second, epoch, 5);
    TinyRun.save(second, epoch, 5, 1);
    TinyRun.save(second, epoch, 6, 1);
    takeBack(second, epoch, 1);
    TinyRun.save(second, epoch, 1, 1);
  }

  private void takeBack(CheckpointStore store, long epoch, long step) {
    List<String> stay = new ArrayList<>(acknowledged);
    Set<String> meanwhile = new LinkedHashSet<>();
    while (!stay.isEmpty() && step(stay) >= step) {
      meanwhile.add(stay.remove(stay.size() - 1));
    }
    acknowledged.clear();
    acknowledged.addAll(stay);
    meanwhile.add(newest());
    promise(meanwhile);
    store.takeBack(epoch, step);
    promise(Set.of(newest()));
  }

  private static long step(List<String> ids) {
    String id = ids.get(ids.size() - 1);
    return Layout.commitPoint(id + ".json").orElseThrow().step();
  }

  private String newest() {
    return acknowledged.isEmpty() ? NONE : acknowledged.get(acknowledged.size() - 1);
  }

  private void promise(Set<String> selectable) {
    promises.put(medium.calls(), new Promise(selectable, acknowledged.size()));
  }

  /** Sees commits become visible. */
  private final class Witness extends ForwardingStorage {
    Witness(Storage storage) {
      super(storage);
    }

    @Override
    public boolean commitExclusive(String name, byte[] content) throws IOException {
      if (!name.startsWith(Layout.COMMITS + "/")) {
        return super.commitExclusive(name, content);
      }
      String id = name.substring(name.indexOf('/') + 1).replace(".json", "");
      promise(Set.of(newest(), id));
      boolean committed = super.commitExclusive(name, content);
      acknowledged.add(id);
      if (acknowledged.size() > KEPT) {
        acknowledged.remove(0);
      }
      promise(Set.of(id));
      return committed;
    }
  }
}
