package dev.kindling.worker.checkpoint;

import dev.kindling.worker.store.LocalMedium;
import dev.kindling.worker.store.RecordedMedium;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("long")
class LocalCrashStateTest extends CrashStateCases {
  @Override
  protected RecordedMedium medium() {
    return LocalMedium.create();
  }

  @Override
  protected int most() {
    return 300;
  }

  @Override
  protected int fewest() {
    return 7000;
  }

  @Test
  void aStorageThatForcesNoFileIsCaught() {
    assertCaught(
        LocalMedium.withoutForceOfFiles(),
        CrashCheck.Broken.NONE_LOADABLE,
        ".json: expected at least 76 bytes, found 0");
  }

  @Test
  void aStorageThatForcesNoFolderIsCaught() {
    assertCaught(
        LocalMedium.withoutForceOfFolders(),
        CrashCheck.Broken.WRONG_GENERATION,
        "found none, refused []");
  }
}
