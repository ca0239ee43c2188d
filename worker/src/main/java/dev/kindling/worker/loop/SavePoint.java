package dev.kindling.worker.loop;

import dev.kindling.worker.checkpoint.TrainState;

/**
 * A moment between steps that is to be saved.
 *
 * @param suffix of the generation's folder, the same on all ranks
 * @param state everything but tensors
 */
record SavePoint(String suffix, TrainState state) {
  long step() {
    return state.step();
  }
}
