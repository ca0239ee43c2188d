package dev.kindling.driver.store;

import dev.kindling.worker.checkpoint.CrashStateCases;
import dev.kindling.worker.store.RecordedMedium;

class ObjectCrashStateTest extends CrashStateCases {
  @Override
  protected RecordedMedium medium() {
    return new ObjectMedium();
  }

  @Override
  protected int most() {
    return 1000;
  }

  @Override
  protected int fewest() {
    return 250;
  }
}
