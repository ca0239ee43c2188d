package dev.kindling.driver.store;

import dev.kindling.worker.checkpoint.StorageFaultCases;
import dev.kindling.worker.store.CallFaults;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;

@Tag("long")
class HdfsFaultTest extends StorageFaultCases {
  @Override
  protected Storage storage(CallFaults faults) {
    MemoryHdfs.Journal journal =
        new MemoryHdfs.Journal() {
          @Override
          public void change(HdfsCall call) throws IOException {
            faults.call(kind(call));
          }

          @Override
          public void look() throws IOException {
            faults.call(CallFaults.Kind.LOOK);
          }
        };
    return HdfsMedium.storage(new MemoryHdfs(new HdfsNames(), Map.of(), journal, true));
  }

  private static CallFaults.Kind kind(HdfsCall call) {
    if (call instanceof HdfsCall.Made) {
      return CallFaults.Kind.MAKE;
    }
    if (call instanceof HdfsCall.Renamed) {
      return CallFaults.Kind.RENAME;
    }
    if (call instanceof HdfsCall.Deleted) {
      return CallFaults.Kind.DELETE;
    }
    if (call instanceof HdfsCall.Written) {
      return CallFaults.Kind.WRITE;
    }
    return call instanceof HdfsCall.Synced ? CallFaults.Kind.FORCE : CallFaults.Kind.CLOSE;
  }

  @Override
  protected Set<CallFaults.Kind> kinds() {
    return EnumSet.allOf(CallFaults.Kind.class);
  }
}
