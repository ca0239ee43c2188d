package dev.kindling.driver.launch;

import dev.kindling.worker.checkpoint.Epochs;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.plan.SparkSpec;
import dev.kindling.worker.store.LocalStorage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A driver in a process of its own, for tests that send signals to it and to its executors. The
 * ranks count steps instead of training and keep the last one in a file when asked to stop.
 *
 * <p>Arguments: folder, ranks, class path for the executors, startup time-out in seconds.
 */
public final class LaunchProbe {
  private LaunchProbe() {}

  /** Counts to a million slowly; writes its step when it is stopped. */
  static final class Counting implements RankBody {
    private static final long serialVersionUID = 1L;

    @Override
    public WorkerResult run(WorkerAssignment assignment, RankContext context)
        throws InterruptedException, IOException {
      context.rendezvous().allGather("here");
      long pid = ProcessHandle.current().pid();
      context
          .events()
          .emit(new LogLine(context.rendezvous().rank(), LogLine.Level.INFO, "pid " + pid));
      System.err.println("rank " + context.rendezvous().rank() + " counts");
      long step = 0;
      while (context.stop().poll() == StopRequest.NONE && step < 1_000_000) {
        TimeUnit.MILLISECONDS.sleep(20);
        step++;
      }
      Files.writeString(
          Path.of(assignment.runDir(), "saved-" + context.rendezvous().rank()),
          String.valueOf(step),
          StandardCharsets.UTF_8);
      return new WorkerResult(context.rendezvous().rank(), step, true, "");
    }
  }

  /** Prints what a test waits for. */
  private record Printer(PrintWriter out) implements RunObserver {
    @Override
    public void attemptStarts(int attempt) {
      out.println("attempt " + attempt);
    }

    @Override
    public void attemptFailed(int attempt, AttemptFailedException failure, boolean retried) {
      out.println("failed " + failure.kind() + " " + failure.getMessage());
    }

    @Override
    public void emit(WorkerEvent event) {
      if (event instanceof LogLine line) {
        out.println("rank " + line.rank() + " " + line.text());
      }
    }
  }

  public static void main(String[] arguments) throws InterruptedException {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    int ranks = Integer.parseInt(arguments[1]);
    StopSwitch stop = new StopSwitch(out::println);
    stop.install();
    stop.arm();
    SparkSpec spec =
        new SparkSpec(
            Optional.empty(),
            Duration.ofSeconds(Long.parseLong(arguments[3])),
            Map.of("spark.executor.memory", "512m", "spark.executor.extraClassPath", arguments[2]));
    AttemptTerms terms =
        new AttemptTerms(
            "seed: 1", arguments[0], arguments[0], "", ranks, Duration.ofMinutes(1), 1);
    int code;
    try (BarrierLauncher launcher =
        new BarrierLauncher(SparkApplication.start(spec, ranks), new Counting(), out::println)) {
      EpochClaim epochs =
          new EpochClaim(
              new Epochs(new LocalStorage(Path.of(arguments[0], WorkerTask.CHECKPOINTS))),
              Duration.ofSeconds(2));
      List<WorkerResult> results =
          new AttemptLoop(
                  launcher,
                  terms,
                  epochs,
                  new Printer(out),
                  stop,
                  new RetryBudget(1, Duration.ofHours(1)))
              .run();
      out.println("results " + results);
      code = stop.exitCode();
    } catch (AttemptFailedException e) {
      code = stop.exitCodeAfter(e);
    }
    System.exit(code);
  }
}
