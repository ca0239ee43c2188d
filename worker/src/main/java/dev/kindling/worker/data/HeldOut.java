package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;

/** The rule of all corpora on what is held out: named paths or a share, not both. */
final class HeldOut {
  private HeldOut() {}

  static void check(Expectation expectation, List<String> validationPaths, double fraction) {
    expectation.fraction("validationFraction", fraction);
    expectation.that(
        !(fraction > 0 && fraction < 1) || validationPaths.isEmpty(),
        "validationFraction",
        "0 because validation_paths is given",
        fraction);
  }
}
