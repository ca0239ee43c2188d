package dev.kindling.benchmarks;

import dev.kindling.worker.data.SampleDigest;
import dev.kindling.worker.data.SampleOrder;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.ledger.LedgerHistory;
import dev.kindling.worker.ledger.LedgerStep;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Which samples a run fed. The order of the data is walked anew: only a step whose samples, as all
 * its ranks recorded them, are those of the walk counts as having fed these.
 *
 * @param samples of the split
 * @param skipped samples that no step fed
 * @param repeated times that a sample was fed after its first
 * @param otherSteps steps that fed something else than the walk says, or nobody knows what
 */
record EpochAudit(long samples, long skipped, long repeated, long otherSteps) {

  /**
   * @param preparedRoot folder that holds the one prepared set of the run
   */
  static EpochAudit of(Path runDir, Path preparedRoot) throws IOException {
    String yaml = Files.readString(runDir.resolve("config.yaml"), StandardCharsets.UTF_8);
    TrainPlan plan = PlanReader.fromYaml(yaml);
    try (Stream<Path> sets = Files.list(preparedRoot)) {
      TokenShards shards = TokenShards.open(sets.findFirst().orElseThrow());
      long samples = shards.part(SplitName.TRAIN).sequences();
      SampleOrder order = new SampleOrder(plan.seed(), samples);
      return of(
          LedgerHistory.read(runDir), order, plan.steps(), plan.arithmetic().samplesPerStep());
    }
  }

  static EpochAudit of(LedgerHistory ledger, SampleOrder order, long steps, long perStep) {
    int[] fed = new int[Math.toIntExact(order.samples())];
    long otherSteps = 0;
    for (long step = 1; step <= steps; step++) {
      long first = (step - 1) * perStep;
      long digest = 0;
      for (long place = 0; place < perStep; place++) {
        digest += SampleDigest.of(place, order.at(first + place));
      }
      LedgerStep line = ledger.steps().get(step);
      if (line == null || !line.samples().equals(OptionalLong.of(digest))) {
        otherSteps++;
        continue;
      }
      for (long place = 0; place < perStep; place++) {
        fed[(int) order.at(first + place)]++;
      }
    }
    long skipped = Arrays.stream(fed).filter(times -> times == 0).count();
    long repeated = Arrays.stream(fed).filter(times -> times > 1).map(times -> times - 1).sum();
    return new EpochAudit(order.samples(), skipped, repeated, otherSteps);
  }

  /** Whether every sample was fed, and once. */
  boolean once() {
    return skipped == 0 && repeated == 0 && otherSteps == 0;
  }
}
