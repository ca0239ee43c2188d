package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.kindling.worker.checkpoint.CheckpointStore;
import dev.kindling.worker.checkpoint.Generation;
import dev.kindling.worker.checkpoint.PartKind;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two drivers train in one run folder, as on two hosts, whose locks do not see each other: the
 * older one stops, commits stay one row, and the newer one ends with the bits of a lone run.
 */
class TwoRunsTest {
  private static final int STEPS = 24;
  private static final int TRIALS = 200;
  private static final int QUICK_TRIALS = 6;

  /** The newer one starts before this step of the older one, which is far from its end then. */
  private static final int LAST_START = 12;

  private static final long LIMIT_SECONDS = 120;

  @TempDir private Path folder;
  private final long seed = Long.getLong("seed", 20261127);
  private TrainPlan plan;
  private Path data;
  private Map<Long, Double> calm;

  @BeforeEach
  void undisturbed() throws Exception {
    Path text = Files.createDirectories(folder.resolve("text")).resolve("corpus.txt");
    Files.writeString(text, "some words that a model can learn by heart; ".repeat(200));
    plan =
        PlanReader.fromYaml(
            """
            model: {type: llama, width: 16, layers: 1, heads: 2, context: 16}
            data: {type: text, paths: ["%s"]}
            optimizer: {type: adamw, lr: 3e-3}
            checkpoint: {every_steps: 2, keep: 1000}
            steps: %d
            sequence_length: 16
            micro_batch: 16
            global_batch: 64
            ranks: 2
            threads: 1
            matmul: java
            launcher: threads
            """
                .formatted(text, STEPS));
    data =
        Preparation.prepare(
                plan.data(), plan.tokenizer(), plan.sequenceLength(), folder.resolve("prepared"))
            .folder();
    Path run = Files.createDirectories(folder.resolve("calm"));
    assertThat(train(run, false, new Steps(0))).isZero();
    calm = losses(run);
    assertThat(calm).hasSize(STEPS);
  }

  /** Says when a step was reached. */
  private static final class Steps implements RunObserver {
    private final CountDownLatch reached = new CountDownLatch(1);
    private final long step;

    Steps(long step) {
      this.step = step;
    }

    @Override
    public void attemptStarts(int attempt) {
      if (step == 0) {
        reached.countDown();
      }
    }

    @Override
    public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {}

    @Override
    public void emit(WorkerEvent event) {
      if (event instanceof StepDone done && done.step() >= step) {
        reached.countDown();
      }
    }

    void await() throws InterruptedException {
      assertThat(reached.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    }
  }

  private int train(Path run, boolean resume, RunObserver witness)
      throws IOException, InterruptedException {
    StorageLocation location = new StorageLocation(run.toString());
    try (RunMirror files = RunMirror.of(location, Map.of())) {
      String yaml = PlanReader.toYaml(plan);
      TrainingRun.Order order =
          new TrainingRun.Order(plan, yaml, location, files, resume, () -> {}, witness);
      Progress quiet =
          new Progress(new PrintWriter(Writer.nullWriter()), Progress.Style.OFF, STEPS);
      return new TrainingRun(order, (p, spark) -> data, quiet, new StopSwitch(text -> {})).run();
    }
  }

  private static Map<Long, Double> losses(Path run) throws IOException {
    Map<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(run.resolve("metrics.jsonl"))
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private void trial(Path run, Random random) throws Exception {
    Steps seen = new Steps(random.nextInt(LAST_START));
    CompletableFuture<@Nullable Throwable> older = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> older.complete(catchThrowable(() -> train(run, false, seen))), "older-driver");
    thread.start();
    seen.await();
    TimeUnit.MICROSECONDS.sleep(random.nextInt(20_000));
    assertThat(train(run, true, new Steps(0))).isZero();
    assertThat(older.get(LIMIT_SECONDS, TimeUnit.SECONDS))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            stopped -> assertThat(stopped.kind()).isEqualTo(FailureKind.CHECKPOINT))
        .hasMessageContaining("fenced: this run holds epoch 1, a newer start of it took epoch 2");
    thread.join();
    assertThat(losses(run)).isEqualTo(calm);
    assertOneRow(run);
  }

  /** Every commit is of one epoch in all its parts and goes on from the one before it. */
  private void assertOneRow(Path run) {
    CheckpointStore store =
        CheckpointStore.open(new LocalStorage(run.resolve(WorkerTask.CHECKPOINTS)), 2);
    List<Generation> row =
        new ArrayList<>(store.commits().stream().map(store::generation).toList());
    row.sort(Comparator.comparingLong(Generation::epoch).thenComparingLong(Generation::step));
    String before = "";
    long step = 0;
    for (Generation generation : row) {
      assertThat(generation.parent()).as(generation.id()).isEqualTo(before);
      assertThat(generation.step()).as(generation.id()).isGreaterThan(step);
      String own = "data/e%010d/".formatted(generation.epoch());
      for (PartKind kind : PartKind.values()) {
        assertThat(generation.partPaths(kind)).allMatch(part -> part.startsWith(own));
      }
      before = generation.id() + "#" + generation.commitSha256();
      step = generation.step();
    }
    assertThat(row.get(row.size() - 1).epoch()).isEqualTo(2);
    assertThat(step).isEqualTo(STEPS);
  }

  private void trials(int count) throws Exception {
    Random random = new Random(seed);
    for (int trial = 1; trial <= count; trial++) {
      try {
        trial(Files.createDirectories(folder.resolve("trial-" + trial)), random);
      } catch (AssertionError | RuntimeException failed) {
        throw new AssertionError("-Dseed=" + seed + ", trial " + trial, failed);
      }
    }
  }

  @Test
  void theOlderOneStopsAndNoCommitIsMixed() throws Exception {
    trials(QUICK_TRIALS);
  }

  @Tag("long")
  @Test
  void theOlderOneStopsAndNoCommitIsEverMixed() throws Exception {
    trials(TRIALS);
  }
}
