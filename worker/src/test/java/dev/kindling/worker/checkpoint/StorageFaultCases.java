package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.store.CallFaults;
import dev.kindling.worker.store.LyingStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Faults of the medium below a storage, during a save: the save is refused with the reason or
 * committed, the last good generation can be loaded, and after the next good save no spent file is
 * left.
 */
public abstract class StorageFaultCases {
  private static final String BROKEN = "Input/output error";
  private static final String FULL = "No space left on device";

  private CallFaults faults;
  private Storage storage;
  private CheckpointStore store;
  private long epoch;

  /** An empty storage on a medium of its own. */
  protected abstract Storage storage(CallFaults faults);

  /** Calls that a save makes on this medium. */
  protected abstract Set<CallFaults.Kind> kinds();

  @BeforeEach
  void twoGenerations() {
    faults = new CallFaults();
    storage = storage(faults);
    open(storage);
  }

  private void open(Storage opened) {
    store = TinyRun.open(opened);
    epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    TinyRun.save(store, epoch, 2, 1);
  }

  /** As a rank does; what it threw, or nothing. */
  private String save(long step) {
    List<PartDescriptor> written = new ArrayList<>();
    try {
      for (PartKind kind : PartKind.values()) {
        written.addAll(
            store.writeParts(
                epoch,
                step,
                TinyRun.SUFFIX,
                TinyRun.onePart(kind, 0, 1),
                TinyRun.tensors(kind, step)));
      }
      store.commit(
          new CommitRequest(
              epoch,
              step,
              TinyRun.SUFFIX,
              1,
              written,
              TinyRun.state(step, (int) epoch),
              TinyRun.FACTS));
      return "";
    } catch (CheckpointException failed) {
      store.discard(epoch, step, TinyRun.SUFFIX, written);
      return String.valueOf(failed.getMessage());
    }
  }

  /** What a restart would find. */
  private void assertRestorable(String as, long... steps) {
    CheckpointStore next = TinyRun.open(storage);
    Generation newest = next.newestValid(new ArrayList<>()).orElseThrow();
    assertThat(newest.step()).as(as).isIn(Arrays.stream(steps).boxed().toList());
    TinyRun.assertHolds(next, newest, newest.step());
    int restorable = 0;
    for (String id : next.commits()) {
      try {
        next.generation(id);
        restorable++;
      } catch (CheckpointException torn) {
        continue;
      }
    }
    assertThat(restorable).as(as).isGreaterThanOrEqualTo(2);
  }

  private void assertTidyAfterAGoodSave(long step, String as) throws IOException {
    assertThat(save(step)).as(as).isEmpty();
    assertRestorable(as, step);
    assertThat(store.commits()).as(as).hasSize(2);
    Set<String> needed = new TreeSet<>();
    for (String id : store.commits()) {
      needed.add(store.generation(id).manifest().folder());
    }
    Set<String> found = new TreeSet<>();
    for (StorageEntry of : storage.list(Layout.DATA)) {
      for (StorageEntry folder : storage.list(Layout.DATA + "/" + of.name())) {
        String name = Layout.DATA + "/" + of.name() + "/" + folder.name();
        if (!storage.list(name).isEmpty()) {
          found.add(name);
        }
      }
    }
    assertThat(found).as(as).isEqualTo(needed);
    assertThat(storage.list(Layout.REVOKED)).as(as).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {BROKEN, FULL})
  void aFaultAtAnyOneCallLosesNothing(String fault) throws IOException {
    int refused = 0;
    boolean met = true;
    for (int call = 1; met; call++) {
      twoGenerations();
      faults.failAt(call, fault);
      String failure = save(3);
      met = faults.met();
      faults.end();
      String as = fault + " at call " + call + ": " + failure;
      if (!failure.isEmpty()) {
        refused++;
        assertThat(failure).as(as).contains(fault);
      }
      // A commit that could not be forced may be there or not.
      assertRestorable(as, failure.isEmpty() ? new long[] {3} : new long[] {2, 3});
      assertTidyAfterAGoodSave(4, as);
    }
    assertThat(refused).isGreaterThan(20);
  }

  @ParameterizedTest
  @ValueSource(strings = {BROKEN, FULL})
  void aFaultAtEveryCallOfAKindLosesNothingAndEnds(String fault) throws IOException {
    Set<CallFaults.Kind> met = EnumSet.noneOf(CallFaults.Kind.class);
    for (CallFaults.Kind kind : CallFaults.Kind.values()) {
      twoGenerations();
      int before = faults.counts().getOrDefault(kind, 0);
      faults.fail(kind, fault);
      String failure = save(3) + save(4);
      int calls = faults.counts().getOrDefault(kind, 0) - before;
      faults.end();
      if (calls > 0) {
        met.add(kind);
      }
      String as = fault + " at every " + kind + ": " + failure;
      assertRestorable(as, failure.isEmpty() ? new long[] {4} : new long[] {2, 4});
      assertThat(save(5)).as(as).isEmpty();
      // Files that could not be deleted when their save failed go with the next start.
      store = TinyRun.open(storage);
      epoch = store.claimEpoch();
      assertThat(save(6)).as(as).isEmpty();
      assertTidyAfterAGoodSave(7, as);
    }
    assertThat(met).isEqualTo(kinds());
  }

  /** A two-hundredth of the slowest storage that has to be borne. */
  @Test
  void aSlowStorageIsWaitedFor() throws IOException {
    faults.delay(1000);
    assertThat(save(3)).isEmpty();
    assertRestorable("slow", 3);
    faults.end();
    assertTidyAfterAGoodSave(4, "after");
  }

  private static byte[] withoutEnd(byte[] content, int bytes) {
    return Arrays.copyOf(content, content.length - bytes);
  }

  private static byte[] withHole(byte[] content) {
    byte[] holed = content.clone();
    Arrays.fill(holed, content.length / 3, content.length / 2, (byte) 0);
    return holed;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"/model-", "/opt-", "/state.json", "/model.safetensors.index", "commits/"})
  void whatAStorageLosesAndSaysItHasIsFoundBeforeItIsCountedOn(String file) throws IOException {
    List<UnaryOperator<byte[]>> losses =
        List.of(
            content -> withoutEnd(content, 1),
            content -> withoutEnd(content, content.length / 2),
            content -> withoutEnd(content, content.length),
            StorageFaultCases::withHole);
    for (UnaryOperator<byte[]> loss : losses) {
      faults = new CallFaults();
      storage = storage(faults);
      LyingStorage lying = new LyingStorage(storage);
      open(lying);
      lying.lieAbout(file, loss);
      String failure = save(3);
      lying.lieAbout("", loss);
      assertThat(failure).contains(file).contains("expected ").contains("found ");
      assertRestorable(failure, 2);
      assertThat(save(4)).isEmpty();
      assertRestorable("after the next save", 4);
      if (!file.equals("commits/")) {
        assertTidyAfterAGoodSave(5, failure);
      }
    }
  }

  @Test
  void aNewStartClearsATornCommitAway() throws IOException {
    LyingStorage lying = new LyingStorage(storage);
    store = TinyRun.open(lying);
    lying.lieAbout("commits/", content -> withoutEnd(content, 9));
    assertThatThrownBy(() -> TinyRun.save(store, epoch, 3, 1))
        .isInstanceOf(CheckpointException.class);
    lying.lieAbout("", content -> content);
    store = TinyRun.open(storage);
    epoch = store.claimEpoch();
    assertThat(save(4)).isEmpty();
    assertTidyAfterAGoodSave(5, "after two good saves");
  }
}
