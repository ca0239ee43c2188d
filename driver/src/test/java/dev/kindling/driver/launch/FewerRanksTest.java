package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.launch.Launcher;
import dev.kindling.worker.launch.ThreadLauncher;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Real training, as threads, that loses slots for good: in exact mode not a bit tells of it. */
class FewerRanksTest {
  private static final int STEPS = 24;

  @TempDir private Path folder;

  /** Loses slots in the middle of its first attempts: of 4 ranks 3 are left, then 1. */
  private static final class Shrinking implements Launcher {
    private final ThreadLauncher threads = new ThreadLauncher();
    private final List<Integer> ranksSeen = new ArrayList<>();
    private int slots = 4;

    @Override
    public List<WorkerResult> run(
        WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
        throws InterruptedException {
      ranksSeen.add(ranks);
      long end = 8L * ranksSeen.size();
      EventSink losing =
          event -> {
            events.emit(event);
            if (event instanceof StepDone done && done.step() == end && ranks > 1) {
              throw new IllegalStateException("slots are lost");
            }
          };
      try {
        return threads.run(assignment, ranks, losing, stop);
      } catch (AttemptFailedException lost) {
        slots = ranks == 4 ? 3 : 1;
        throw new AttemptFailedException(FailureKind.LOST_SLOTS, -1, "lost", lost);
      }
    }

    @Override
    public int slots() {
      return slots;
    }

    @Override
    public void close() {}
  }

  /** Loss bits by step; a step that was run again counts the last time. */
  private static final class Losses implements RunObserver {
    private final Map<Long, Integer> bits = new ConcurrentSkipListMap<>();
    private final List<String> reductions = new ArrayList<>();

    @Override
    public void attemptStarts(int attempt) {}

    @Override
    public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {}

    @Override
    public void ranksReduced(int nextAttempt, int before, int now) {
      reductions.add(nextAttempt + ": " + before + " to " + now);
    }

    @Override
    public void emit(WorkerEvent event) {
      if (event instanceof StepDone done) {
        bits.put(done.step(), Float.floatToRawIntBits(done.loss()));
      }
    }
  }

  private Losses train(Launcher launcher, String name) throws IOException, InterruptedException {
    Path text = Files.createDirectories(folder.resolve("text")).resolve("corpus.txt");
    Files.writeString(text, "some words that a model can learn by heart; ".repeat(400));
    TrainPlan plan =
        PlanReader.fromYaml(
            """
            model: {type: llama, width: 32, layers: 1, heads: 2, context: 32}
            data: {type: text, paths: ["%s"]}
            optimizer: {type: adamw, lr: 3e-3}
            checkpoint: {every_steps: 5}
            steps: %d
            sequence_length: 32
            micro_batch: 32
            global_batch: 256
            ranks: 4
            matmul: java
            determinism: exact
            launcher: threads
            """
                .formatted(text, STEPS));
    Path data = folder.resolve("prepared");
    String dataDir =
        Preparation.prepare(plan.data(), plan.tokenizer(), plan.sequenceLength(), data)
            .folder()
            .toString();
    Path run = Files.createDirectories(folder.resolve(name));
    AttemptTerms terms =
        new AttemptTerms(
            PlanReader.toYaml(plan), run.toString(), dataDir, "", 4, Duration.ofMinutes(1), 1);
    Losses losses = new Losses();
    Epochs epochs = new Epochs(new LocalStorage(run.resolve(WorkerTask.CHECKPOINTS)));
    EpochClaim claim = new EpochClaim(epochs, Duration.ofSeconds(1));
    new AttemptLoop(launcher, terms, claim, losses, StopSignal.NEVER, RetryBudget.DEFAULT).run();
    return losses;
  }

  @Test
  void exactModeGoesOnWithTheSlotsThatAreLeftAndTheSameBits() throws Exception {
    Losses calm = train(new ThreadLauncher(), "calm");
    Shrinking launcher = new Shrinking();
    Losses shrunk = train(launcher, "shrunk");
    assertThat(launcher.ranksSeen).containsExactly(4, 2, 1);
    assertThat(shrunk.reductions).containsExactly("2: 4 to 2", "3: 2 to 1");
    assertThat(shrunk.bits).isEqualTo(calm.bits).hasSize(STEPS);
  }
}
