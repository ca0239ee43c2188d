package dev.kindling.benchmarks;

import java.util.List;

/** One program of {@link Bench}. */
interface Benchmark {
  /** Measures, and adds what it found to {@code results}. */
  void run(Results results, List<String> arguments) throws Exception;
}
