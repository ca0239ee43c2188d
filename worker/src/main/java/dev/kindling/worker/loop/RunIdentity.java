package dev.kindling.worker.loop;

import dev.kindling.worker.checkpoint.DataCursor;
import dev.kindling.worker.checkpoint.RunFacts;
import dev.kindling.worker.checkpoint.TrainState;
import dev.kindling.worker.data.SplitName;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.plan.TrainPlan;
import java.util.Locale;
import java.util.Map;

/** What a checkpoint says about its run, and the names under which this attempt may write. */
record RunIdentity(TrainPlan plan, WorkerAssignment assignment, String dataset, long trainSamples) {

  static RunIdentity of(TrainPlan plan, WorkerAssignment assignment, TokenShards shards) {
    return new RunIdentity(
        plan,
        assignment,
        shards.manifest().fingerprint(),
        shards.part(SplitName.TRAIN).sequences());
  }

  long epoch() {
    return assignment.epoch();
  }

  /** The same on all ranks, another one for every save of an attempt. */
  String suffix(int save) {
    return "a" + assignment.attempt() + "x" + Integer.toString(save, 36);
  }

  TrainState state(Progress progress) {
    long seen = progress.leftOut().batchOf(progress.step()) * plan.arithmetic().samplesPerStep();
    return new TrainState(
        progress.step(),
        progress.tokens(),
        new DataCursor(seen / trainSamples, seen % trainSamples, dataset),
        progress.step(),
        plan.seed(),
        progress.skipped(),
        progress.guards(),
        assignment.attempt(),
        progress.log().encode());
  }

  RunFacts facts() {
    return new RunFacts(
        assignment.configYaml(),
        plan.determinism().name().toLowerCase(Locale.ROOT),
        plan.logicalShards(),
        Map.of("jdk", Runtime.version().toString(), "backend", "cpu"));
  }
}
