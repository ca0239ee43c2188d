package dev.kindling.worker.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.worker.store.ForwardingStorage;
import dev.kindling.worker.store.Storage;
import dev.kindling.worker.store.StorageOutput;
import java.io.IOException;
import java.util.ArrayList;

/** A save between whose parts something happens to the store. */
public final class TroubledSave extends ForwardingStorage {
  private final CheckpointStoreCases.Trouble trouble;
  private boolean pending;

  private TroubledSave(Storage storage, CheckpointStoreCases.Trouble trouble) {
    super(storage);
    this.trouble = trouble;
  }

  @Override
  public synchronized StorageOutput create(String name) throws IOException {
    StorageOutput output = super.create(name);
    if (pending && name.contains("/opt-")) {
      pending = false;
      trouble.begin();
    }
    return output;
  }

  /**
   * Saves with and then without the trouble.
   *
   * @param borne whether the save must succeed all the same; else it must be refused
   */
  public static void check(Storage storage, CheckpointStoreCases.Trouble trouble, boolean borne)
      throws IOException {
    TroubledSave troubled = new TroubledSave(storage, trouble);
    CheckpointStore store = TinyRun.open(troubled);
    long epoch = store.claimEpoch();
    TinyRun.save(store, epoch, 1, 1);
    TinyRun.save(store, epoch, 2, 1);
    troubled.pending = true;
    Throwable refusal = catchThrowable(() -> TinyRun.save(store, epoch, 3, 1));
    trouble.end();
    assertThat(troubled.pending).as("the trouble was met").isFalse();
    if (borne) {
      assertThat(refusal).isNull();
    } else {
      assertThat(refusal).isInstanceOf(CheckpointException.class);
    }
    assertNewest(storage, borne ? 3 : 2);
    TinyRun.save(store, epoch, 4, 1);
    assertNewest(storage, 4);
  }

  private static void assertNewest(Storage storage, long step) {
    CheckpointStore next = TinyRun.open(storage);
    TinyRun.assertHolds(next, next.newestValid(new ArrayList<>()).orElseThrow(), step);
    assertThat(next.commits()).hasSize(2);
    next.commits().forEach(next::generation);
  }
}
