package dev.kindling.driver.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.StorageFaultCases;
import dev.kindling.worker.store.CallFaults;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;

@Tag("long")
class ObjectFaultTest extends StorageFaultCases {
  private ObjectStore.Bucket bucket = new ObjectStore.Bucket();

  @Override
  protected Storage storage(CallFaults faults) {
    bucket = new ObjectStore.Bucket();
    bucket.journal =
        new ObjectStore.Journal() {
          @Override
          public void change(ObjectStore.Change change) throws IOException {
            boolean delete = change.content() == null;
            faults.call(delete ? CallFaults.Kind.DELETE : CallFaults.Kind.CLOSE);
          }

          @Override
          public void request() throws IOException {
            faults.call(CallFaults.Kind.LOOK);
          }
        };
    return ObjectMedium.storage(bucket);
  }

  @AfterEach
  void noUploadIsLeft() {
    assertThat(bucket.uploads).isEmpty();
  }

  @Override
  protected Set<CallFaults.Kind> kinds() {
    return EnumSet.of(CallFaults.Kind.LOOK, CallFaults.Kind.DELETE, CallFaults.Kind.CLOSE);
  }
}
