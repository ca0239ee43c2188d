package dev.kindling.worker.launch;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.loop.WorkerAssignment;
import dev.kindling.worker.loop.WorkerResult;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** All ranks as plain processes of this machine: isolation and kills without Spark. */
public final class ProcessLauncher implements Launcher {
  static final String MEETING = "kindling-meeting-";
  private static final long POLL_MILLIS = 50;

  /** How long peers of a dead rank may take to notice by themselves before they are killed. */
  private static final long GRACE_MILLIS = 5_000;

  private final List<String> jvmOptions;

  /**
   * @param jvmOptions options of the children's JVMs, such as heap and modules
   */
  public ProcessLauncher(List<String> jvmOptions) {
    this.jvmOptions = List.copyOf(jvmOptions);
  }

  @Override
  public List<WorkerResult> run(
      WorkerAssignment assignment, int ranks, EventSink events, StopSignal stop)
      throws InterruptedException {
    List<WorkerProcess> workers = new ArrayList<>();
    Semaphore ended = new Semaphore(0);
    Path folder = meetingPlace();
    try {
      Failpoint.WORKERS_START.before();
      for (int rank = 0; rank < ranks; rank++) {
        WorkerProcess worker = new WorkerProcess(rank, start(), events, ended::release);
        workers.add(worker);
        worker.order(new WorkerPipe.Order(assignment, rank, ranks, folder.toString()));
      }
      Failpoint.WORKERS_START.after();
      supervise(workers, ended, stop);
      return outcome(workers);
    } catch (IOException e) {
      throw new AttemptFailedException(
          FailureKind.UNEXPECTED, -1, "a worker process could not be started: " + e, e);
    } finally {
      for (WorkerProcess worker : workers) {
        worker.kill();
        worker.join();
      }
      delete(folder);
    }
  }

  private Process start() throws IOException {
    List<String> command = new ArrayList<>(WorkerPipe.ASIDE);
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(jvmOptions);
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(WorkerMain.class.getName());
    return new ProcessBuilder(command).start();
  }

  private static void supervise(List<WorkerProcess> workers, Semaphore ended, StopSignal stop)
      throws InterruptedException {
    int open = workers.size();
    boolean asked = false;
    long deadline = Long.MAX_VALUE;
    while (open > 0) {
      if (ended.tryAcquire(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        open--;
      }
      // Asked at every poll: a stream may end before the process counts as dead.
      boolean failed = workers.stream().anyMatch(w -> !w.alive() && w.result().isEmpty());
      if (failed && deadline == Long.MAX_VALUE) {
        deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(GRACE_MILLIS);
      }
      if (!asked && stop.poll() == StopRequest.CHECKPOINT_AND_STOP) {
        asked = true;
        workers.forEach(WorkerProcess::askToStop);
      }
      if (System.nanoTime() > deadline) {
        workers.forEach(WorkerProcess::kill);
        open = 0;
      }
    }
    for (WorkerProcess worker : workers) {
      worker.join();
    }
  }

  private static List<WorkerResult> outcome(List<WorkerProcess> workers) {
    List<RankFailure> failures = new ArrayList<>();
    List<WorkerResult> results = new ArrayList<>();
    for (WorkerProcess worker : workers) {
      worker.failure().ifPresent(failures::add);
      worker.result().ifPresent(results::add);
    }
    RankFailure.mostTelling(failures)
        .ifPresent(
            failure -> {
              throw failure.toException();
            });
    return List.copyOf(results);
  }

  private static Path meetingPlace() {
    try {
      return Files.createTempDirectory(
          MEETING,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    } catch (IOException e) {
      throw new UncheckedIOException("no temporary folder for the rendezvous", e);
    }
  }

  private static void delete(Path folder) {
    try (Stream<Path> walk = Files.walk(folder)) {
      for (Path path : walk.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    } catch (IOException left) {
      // A leftover of a few bytes in the temporary folder hurts nobody.
    }
  }

  @Override
  public void close() {}
}
