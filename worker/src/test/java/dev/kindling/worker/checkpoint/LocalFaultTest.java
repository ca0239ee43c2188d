package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.CallFaults;
import dev.kindling.worker.store.LocalMedium;
import dev.kindling.worker.store.MemoryFileSystem;
import dev.kindling.worker.store.Storage;
import java.util.EnumSet;
import java.util.Set;

class LocalFaultTest extends StorageFaultCases {
  @Override
  protected Storage storage(CallFaults faults) {
    return LocalMedium.storage(MemoryFileSystem.create(faults.local()));
  }

  @Override
  protected Set<CallFaults.Kind> kinds() {
    return EnumSet.complementOf(EnumSet.of(CallFaults.Kind.CLOSE));
  }
}
