package dev.kindling.driver.ml;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.worker.generate.Sampling;
import java.io.Serializable;

/**
 * What the executors need to know.
 *
 * @param path a model directory or run folder, as {@code StorageLocation} reads it
 * @param version tells what lies there now from what lay there before
 * @param batchSize prompts that are worked on together
 * @param context tokens that the model sees at once, 0 for the default
 */
record ModelRequest(
    String path,
    String version,
    TextTask task,
    int tokens,
    double temperature,
    int topK,
    double topP,
    long seed,
    int batchSize,
    int context,
    DeviceChoice device)
    implements Serializable {

  /** What two requests must have in common to share a loaded model. */
  record Key(String path, String version, int sequences, int context, ModelPlace place) {}

  /** A scorer takes one text at a time, which is no number of sequences of a generator. */
  Key key(ModelPlace place) {
    return new Key(path, version, task == TextTask.GENERATE ? batchSize : 0, context, place);
  }

  Sampling sampling() {
    return new Sampling(temperature, topK, topP, seed);
  }
}
