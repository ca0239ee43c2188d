package dev.kindling.benchmarks.scaling;

import dev.kindling.kernels.graph.Expectation;
import java.util.Map;

/**
 * What a worker computes in a step, alone.
 *
 * @param parameters that are trained
 * @param tokens of a step of one worker
 * @param stepMs mean time of a step without any communication
 * @param backward share of a step in which gradients become ready, evenly
 * @param update share of a step behind the last gradient; what is left is the forward pass
 * @param jitter standard deviation of a step's time around its worker's mean, over that mean
 * @param jitterSteps steps for which a worker keeps one deviation: 1 if steps are independent
 * @param spread standard deviation of workers' means, over the mean of all
 * @param outerMs compute of one outer step over all parameters
 */
public record Worker(
    String name,
    long parameters,
    double tokens,
    double stepMs,
    double backward,
    double update,
    double jitter,
    int jitterSteps,
    double spread,
    double outerMs) {
  public Worker {
    new Expectation()
        .atLeast("parameters", parameters, 1)
        .positive("tokens", tokens)
        .positive("step_ms", stepMs)
        .fraction("backward", backward)
        .fraction("update", update)
        .that(backward + update <= 1, "backward", "at most 1 with update", backward)
        .fraction("jitter", jitter)
        .atLeast("jitter_steps", jitterSteps, 1)
        .fraction("spread", spread)
        .notNegative("outer_ms", outerMs)
        .orThrow();
  }

  public static Map<String, Object> defaults() {
    return Map.of("update", 0.0, "jitter", 0.0, "jitter_steps", 1, "spread", 0.0, "outer_ms", 0.0);
  }

  double stepSeconds() {
    return stepMs / 1e3;
  }

  double outerSeconds() {
    return outerMs / 1e3;
  }

  double forward() {
    return 1 - backward - update;
  }
}
