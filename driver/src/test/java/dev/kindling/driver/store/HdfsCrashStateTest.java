package dev.kindling.driver.store;

import dev.kindling.worker.checkpoint.CrashCheck;
import dev.kindling.worker.checkpoint.CrashStateCases;
import dev.kindling.worker.store.RecordedMedium;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("long")
class HdfsCrashStateTest extends CrashStateCases {
  @Override
  protected RecordedMedium medium() {
    return new HdfsMedium(true);
  }

  @Override
  protected int most() {
    return 75;
  }

  @Override
  protected int fewest() {
    return 4000;
  }

  @Test
  void aStorageThatSyncsNoFileIsCaught() {
    assertCaught(
        new HdfsMedium(false),
        CrashCheck.Broken.NONE_LOADABLE,
        ".json: expected at least 76 bytes, found 0");
  }
}
