package dev.kindling.worker.plan;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * How ranks divide their work.
 *
 * @param zero what is spread over the ranks: 0 nothing, 1 masters and optimizer state, 2 gradients
 *     too, 3 weights too; without effect for one rank
 */
public record MeshSpec(int zero) {
  public MeshSpec {
    new Expectation().that(zero >= 0 && zero <= 3, "zero", "0, 1, 2 or 3", zero).orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("zero", 0);
  }
}
