package dev.kindling.benchmarks.scaling;

import dev.kindling.configs.yaml.ByteSize;
import dev.kindling.kernels.graph.Expectation;
import java.util.Arrays;
import java.util.Map;

/**
 * All-reduces gradients in every step, a bucket at a time, one behind the other, each as soon as
 * the slowest worker's backward pass has completed it; the update waits for the last.
 *
 * @param bytes of a gradient on the wire: 2 for bf16, 4 for fp32
 * @param bucket bytes that are reduced together
 */
public record EveryStep(double bytes, ByteSize bucket) implements SyncMethod {
  public EveryStep {
    new Expectation().positive("bytes", bytes).atLeast("bucket", bucket.bytes(), 1).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("bytes", 2.0, "bucket", new ByteSize(128L << 20));
  }

  @Override
  public int round() {
    return 1;
  }

  @Override
  public int slack() {
    return 0;
  }

  @Override
  public Rounds begin(Timeline timeline) {
    double parameters = timeline.worker().parameters();
    int buckets = (int) Math.ceil(parameters * bytes / bucket.bytes());
    double seconds = timeline.reduceSeconds(parameters / buckets, bytes);
    double[] step = new double[timeline.workers()];
    return () -> {
      Arrays.setAll(step, timeline::stepSeconds);
      timeline.countStep();
      double done = 0;
      for (int i = 1; i <= buckets; i++) {
        done = Math.max(done, ready(timeline, step, (double) i / buckets)) + seconds;
      }
      double update = timeline.worker().update();
      for (int rank = 0; rank < step.length; rank++) {
        timeline.compute(rank, step[rank] * (1 - update));
      }
      timeline.await(done);
      for (int rank = 0; rank < step.length; rank++) {
        timeline.compute(rank, step[rank] * update);
      }
    };
  }

  /** When the slowest worker has so much of its gradients. */
  private static double ready(Timeline timeline, double[] step, double share) {
    Worker worker = timeline.worker();
    double begun = worker.forward() + worker.backward() * share;
    double ready = 0;
    for (int rank = 0; rank < step.length; rank++) {
      ready = Math.max(ready, timeline.clock(rank) + step[rank] * begun);
    }
    return ready;
  }
}
