package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.InstanceOfAssertFactories.type;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.launch.FailureKind;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.plan.SparkSpec;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** In Spark's local mode: two ranks are two threads of this JVM, the rest is the real thing. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class BarrierLauncherTest {
  private final List<String> notices = Collections.synchronizedList(new ArrayList<>());
  private final List<WorkerEvent> events = Collections.synchronizedList(new ArrayList<>());
  private SparkApplication application;

  @BeforeAll
  void startSpark() {
    SparkSpec spec =
        new SparkSpec(
            Optional.of("local[2]"),
            Duration.ofSeconds(60),
            Map.of("spark.ui.enabled", "false", "spark.driver.host", "127.0.0.1"));
    application = SparkApplication.start(spec, 2);
  }

  @AfterAll
  void stopSpark() {
    application.close();
  }

  private List<WorkerResult> run(RankBody body, int ranks, StopSignal stop)
      throws InterruptedException {
    return run(body, ranks, stop, events::add);
  }

  private List<WorkerResult> run(RankBody body, int ranks, StopSignal stop, EventSink sink)
      throws InterruptedException {
    WorkerAssignment assignment =
        new WorkerAssignment("seed: 1", "/run", "/data", 1, 1, "", new byte[32]);
    BarrierLauncher launcher = new BarrierLauncher(application, body, notices::add);
    return launcher.run(assignment, ranks, sink, stop);
  }

  /** Gathers, says what it saw and ends. */
  static final class Greeting implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context) {
      List<String> all = context.rendezvous().allGather("from " + context.rendezvous().rank());
      for (int i = 0; i < 1000; i++) {
        context
            .events()
            .emit(new LogLine(context.rendezvous().rank(), LogLine.Level.INFO, i + " " + all));
      }
      return new WorkerResult(context.rendezvous().rank(), 7, false, assignment.configYaml());
    }
  }

  @Test
  void everyRankMeetsTheOthersAndNoEventIsLostOrReordered() throws InterruptedException {
    assertThat(run(new Greeting(), 2, StopSignal.NEVER))
        .containsExactly(
            new WorkerResult(0, 7, false, "seed: 1"), new WorkerResult(1, 7, false, "seed: 1"));
    for (int rank = 0; rank < 2; rank++) {
      int wanted = rank;
      List<String> lines =
          events.stream()
              .filter(e -> e.rank() == wanted && e instanceof LogLine)
              .map(e -> ((LogLine) e).text())
              .toList();
      assertThat(lines).hasSize(1000);
      assertThat(lines.get(999)).isEqualTo("999 [from 0, from 1]");
      assertThat(lines.get(500)).startsWith("500 ");
    }
  }

  /** Rank 1 has bad data; rank 0 would wait for ever. */
  static final class BadData implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context)
        throws InterruptedException {
      if (context.rendezvous().rank() == 1) {
        throw new DataException("shard 3: token 999 is out of range");
      }
      TimeUnit.HOURS.sleep(1);
      throw new IllegalStateException("slept through");
    }
  }

  @Test
  void theFirstMistakeIsToldAndThePeersAreEnded() {
    assertThatThrownBy(() -> run(new BadData(), 2, StopSignal.NEVER))
        .asInstanceOf(type(AttemptFailedException.class))
        .satisfies(
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.DATA);
              assertThat(e.rank()).isEqualTo(1);
              assertThat(e.getMessage()).isEqualTo("rank 1: shard 3: token 999 is out of range");
            });
  }

  /** Works until it is told to stop. */
  static final class UntilStopped implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context)
        throws InterruptedException {
      context
          .events()
          .emit(new LogLine(context.rendezvous().rank(), LogLine.Level.INFO, "working"));
      long steps = 0;
      while (context.stop().poll() == StopRequest.NONE) {
        TimeUnit.MILLISECONDS.sleep(5);
        steps++;
      }
      return new WorkerResult(context.rendezvous().rank(), steps, true, "");
    }
  }

  @Test
  void aStopRequestReachesTheRanks() throws InterruptedException {
    events.clear();
    AtomicBoolean bothWork = new AtomicBoolean();
    StopSignal stop =
        () -> {
          bothWork.compareAndSet(
              false, List.copyOf(events).stream().filter(LogLine.class::isInstance).count() >= 2);
          return bothWork.get() ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE;
        };
    assertThat(run(new UntilStopped(), 2, stop)).allMatch(WorkerResult::stopped).hasSize(2);
  }

  @Test
  void eventsThatCannotBeRecordedEndTheAttempt() {
    EventSink full =
        event -> {
          throw new UncheckedIOException(new IOException("no space left"));
        };
    for (RankBody body : List.of(new UntilStopped(), new Greeting())) {
      assertThatThrownBy(() -> run(body, 2, StopSignal.NEVER, full))
          .asInstanceOf(type(AttemptFailedException.class))
          .satisfies(
              e -> {
                assertThat(e.kind()).isEqualTo(FailureKind.UNEXPECTED);
                assertThat(e.getMessage())
                    .contains("events of the ranks cannot be recorded", "no space left");
              });
    }
  }

  @Test
  void moreRanksThanTheMasterCanEverHaveAreRefusedAtOnce() {
    assertThatThrownBy(() -> run(new Greeting(), 3, StopSignal.NEVER))
        .asInstanceOf(type(AttemptFailedException.class))
        .satisfies(
            e -> {
              assertThat(e.kind()).isEqualTo(FailureKind.CONFIGURATION);
              assertThat(e.getMessage())
                  .isEqualTo("ranks: needs 3 slots, local[2] has 2 and never more; waited 0 s");
            });
  }
}
