package dev.kindling.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * One epoch of the data in exact mode, in one run that is killed again and again and several times
 * goes on with another number of ranks, after a stop or after the death of its driver. At the end
 * it has the bits of one rank that nobody disturbed, and fed each sample once.
 */
final class EpochRun {
  private static final int EVERY = ResumeBench.CHECKPOINT_EVERY;
  private static final int SEQUENCE = 32;
  private static final int BATCH_SEQUENCES = 64;
  private static final List<Integer> RANKS = List.of(1, 2, 4);
  private static final List<KillTarget> TURNS =
      List.of(KillTarget.WORKER, KillTarget.RANK_ZERO, KillTarget.DRIVER);

  private final BenchOptions options;
  private final Path folder;
  private final int kills;
  private final int changes;
  private final int steps;

  EpochRun(BenchOptions options, Path folder) {
    this.options = options;
    this.folder = folder;
    this.kills = options.count("kills");
    this.changes = options.count("world-changes");
    this.steps = KillMoment.steps(kills + changes);
  }

  void measure(Results results) throws IOException, InterruptedException {
    Random random = new Random(options.count("seed"));
    Path config = folder.resolve("epoch.yaml");
    Files.writeString(folder.resolve("corpus.txt"), text(random), StandardCharsets.US_ASCII);
    Files.writeString(config, config(), StandardCharsets.UTF_8);
    Path calm = folder.resolve("one-rank");
    try (KindlingProcess process = KindlingProcess.train(config, calm)) {
      KillFigures.require(process.await() == 0, "the undisturbed run failed; " + process.log());
    }
    int first = other(random, 1);
    List<KillMoment> row = row(random, first);
    Path disturbed = folder.resolve("disturbed");
    KilledRun run =
        new KilledRun(config, disturbed, KillFigures.times(calm), results::note, "ranks=" + first);
    run.run(row);
    EpochAudit audit = EpochAudit.of(disturbed, folder.resolve("prepared"));
    results.add("epoch.samples", audit.samples(), "count");
    results.add("epoch.steps", steps, "count");
    results.add("epoch.samples_skipped", audit.skipped(), "count");
    results.add("epoch.samples_repeated", audit.repeated(), "count");
    results.add("epoch.steps_with_other_samples", audit.otherSteps(), "count");
    results.add("epoch.world_size_changes", changes, "count");
    KillFigures figures = new KillFigures();
    figures.add(row.size(), run, RunComparison.of(calm, disturbed));
    figures.report(results, "epoch");
    KillFigures.require(
        audit.samples() == (long) steps * BATCH_SEQUENCES,
        "expected an epoch of " + steps + " batches, found " + audit.samples() + " samples");
    KillFigures.require(audit.once(), "not every sample was fed once: " + audit);
  }

  /** Changes are spread evenly among the kills; targets of kills take turns. */
  private List<KillMoment> row(Random random, int firstRanks) {
    List<KillMoment> row = new ArrayList<>();
    int all = kills + changes;
    int ranks = firstRanks;
    for (int i = 0; i < all; i++) {
      KillMoment.Window window = i % 2 == 0 ? KillMoment.Window.SAVE : KillMoment.Window.STEP;
      int changed = i * changes / all;
      if ((i + 1) * changes / all > changed) {
        KillTarget how = changed % 2 == 0 ? KillTarget.STOP : KillTarget.DRIVER;
        ranks = other(random, ranks);
        row.add(KillMoment.at(random, how, window, i, EVERY).goingOnWith(ranks));
      } else {
        KillTarget target = TURNS.get((i - changed) % TURNS.size());
        row.add(KillMoment.at(random, target, window, i, EVERY));
      }
    }
    return row;
  }

  private static int other(Random random, int ranks) {
    List<Integer> others = RANKS.stream().filter(count -> count != ranks).toList();
    return others.get(random.nextInt(others.size()));
  }

  /** As many bytes as an epoch of whole batches takes. */
  private String text(Random random) {
    int bytes = steps * BATCH_SEQUENCES * SEQUENCE + SEQUENCE / 2;
    StringBuilder text = new StringBuilder(bytes + SEQUENCE);
    while (text.length() < bytes) {
      text.append("int x").append(random.nextInt(9)).append(" = ").append(random.nextInt(50));
      text.append(random.nextBoolean() ? ";\n" : " + y;\n");
    }
    text.setLength(bytes);
    return text.toString();
  }

  private String config() {
    return """
        model: {type: llama, width: 32, layers: 2, heads: 2, context: %d}
        data: {type: text, paths: ["%s"], validation_fraction: 0}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: cosine, warmup_steps: 5}
        determinism: exact
        steps: %d
        sequence_length: %d
        micro_batch: %d
        global_batch: %d
        ranks: 1
        checkpoint: {every_steps: %d}
        log: {every_steps: 1}
        launcher: %s
        """
        .formatted(
            SEQUENCE,
            folder.resolve("corpus.txt"),
            steps,
            SEQUENCE,
            2 * SEQUENCE,
            BATCH_SEQUENCES * SEQUENCE,
            EVERY,
            options.text("launcher"));
  }
}
