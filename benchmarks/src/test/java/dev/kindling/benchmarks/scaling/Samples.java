package dev.kindling.benchmarks.scaling;

import java.util.LinkedHashMap;
import java.util.Map;

/** Small clusters and workers for tests. */
final class Samples {
  static final double STEP = 0.1;
  static final long SEED = 20261128;

  private Samples() {}

  /** Steps of 100 ms, half of it backward, a tenth update; 1e8 parameters. */
  static Worker worker(double jitter, double spread) {
    return new Worker("sample", 100_000_000, 1000, 1e3 * STEP, 0.5, 0.1, jitter, 3, spread, 0);
  }

  /** One worker a host, no latency. */
  static AllReduceCost cost(int workers, double gbit) {
    Link inside = new Link("inside", 4000, 0, 1);
    return new AllReduceCost(workers, new Cluster(1, inside, new Link("between", gbit, 0, 1)));
  }

  static Outcome outcome(SyncMethod method, Worker worker, AllReduceCost cost) {
    StepTimes times = StepTimes.drawn(worker, cost.workers(), SEED);
    return Outcome.of(
        worker,
        cost.workers(),
        method.play(times, cost, worker, 200),
        method.play(times, cost.withoutTime(), worker, 200));
  }

  static Map<String, SyncMethod> methods() {
    Map<String, SyncMethod> methods = new LinkedHashMap<>();
    methods.put("every_step", new EveryStep(2, new dev.kindling.configs.yaml.ByteSize(32 << 20)));
    methods.put("blocking", new Blocking(12, 4));
    methods.put("in_flight", new InFlight(12, 4));
    methods.put("streaming", new Streaming(12, 3, 2, 4));
    return methods;
  }
}
