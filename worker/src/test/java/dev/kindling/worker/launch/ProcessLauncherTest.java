package dev.kindling.worker.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.StepDone;
import dev.kindling.worker.loop.SmallRun;
import dev.kindling.worker.loop.StopSignal;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProcessLauncherTest {
  private static final String SETTINGS =
      """
      steps: %d
      global_batch: 256
      micro_batch: 64
      ranks: 2
      launcher: processes
      """;

  private static final List<String> OPTIONS =
      List.of("--add-modules=jdk.incubator.vector", "-Xmx256m");

  @TempDir private Path folder;

  @Test
  void processesGiveTheLossBitsOfThreads() throws Exception {
    SmallRun threads = SmallRun.in(folder.resolve("t"), String.format(SETTINGS, 5));
    SmallRun processes = SmallRun.in(folder.resolve("p"), String.format(SETTINGS, 5));
    assertThat(processes.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER).lossBits())
        .isEqualTo(threads.run(new ThreadLauncher(), StopSignal.NEVER).lossBits())
        .hasSize(5);
  }

  /** As a library does that was asked to say more. */
  @Test
  void whatAChildPrintsDoesNotFallBetweenTheFrames() throws Exception {
    List<String> talkative = new ArrayList<>(OPTIONS);
    talkative.add("-Xlog:class+load=info:stdout");
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 2));
    List<LoggedLines> printed = Collections.synchronizedList(new ArrayList<>());
    EventSink log =
        event -> {
          if (event instanceof LoggedLines lines) {
            printed.add(lines);
          }
        };
    assertThat(run.run(new ProcessLauncher(talkative), StopSignal.NEVER, log).lossBits())
        .hasSize(2);
    for (int rank = 0; rank < 2; rank++) {
      int wanted = rank;
      List<LoggedLines> own = printed.stream().filter(lines -> lines.rank() == wanted).toList();
      LoggedLines last = own.get(own.size() - 1);
      assertThat(last.first() + last.lines().size()).as("printed").isGreaterThan(1000);
      assertThat(own).anyMatch(lines -> lines.text().contains("WorkerTask source: "));
    }
  }

  /** Pieces of checkpoints travel between processes as they do between threads. */
  @Test
  void shardedProcessesGiveTheBitsOfShardedThreads() throws Exception {
    String sharded = String.format(SETTINGS, 4) + "mesh: {zero: 3}\n";
    SmallRun threads = SmallRun.in(folder.resolve("t"), sharded);
    SmallRun processes = SmallRun.in(folder.resolve("p"), sharded);
    SmallRun.Outcome expected = threads.run(new ThreadLauncher(), StopSignal.NEVER);
    SmallRun.Outcome found = processes.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER);
    assertThat(found.lossBits()).isEqualTo(expected.lossBits());
    assertThat(processes.store().newestValid(new ArrayList<>()).orElseThrow().stateHash())
        .isEqualTo(threads.store().newestValid(new ArrayList<>()).orElseThrow().stateHash());
  }

  @Test
  void aKilledRankEndsTheAttemptAndTheNextOneGoesOn() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 12));
    AtomicBoolean killed = new AtomicBoolean();
    assertThatThrownBy(
            () ->
                run.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone done
                          && done.step() == 5
                          && killed.compareAndSet(false, true)) {
                        killOneChild();
                      }
                    }))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> {
              assertThat(failed.kind()).isEqualTo(FailureKind.LOST_WORKER);
              assertThat(failed).hasMessageContaining("exit code 137");
            });
    SmallRun.Outcome rest = run.run(new ProcessLauncher(OPTIONS), StopSignal.NEVER);
    assertThat(rest.results().get(0).lastStep()).isEqualTo(12);
    assertThat(rest.lossBits()).containsKeys(4L, 5L, 12L).doesNotContainKey(3L);
  }

  @Test
  void eventsThatCannotBeRecordedEndTheAttempt() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 100_000));
    assertThatThrownBy(
            () ->
                run.run(
                    new ProcessLauncher(OPTIONS),
                    StopSignal.NEVER,
                    event -> {
                      if (event instanceof StepDone) {
                        throw new UncheckedIOException(new IOException("no space left"));
                      }
                    }))
        .isInstanceOfSatisfying(
            AttemptFailedException.class,
            failed -> assertThat(failed.kind()).isEqualTo(FailureKind.UNEXPECTED))
        .hasMessageContaining("events of the ranks cannot be recorded")
        .hasMessageContaining("no space left");
  }

  /** Rendezvous folder, crash reports and what else a child writes. */
  @Test
  void whatChildrenWriteIsTheirUsersAloneAndTheyLeaveNoCore() throws Exception {
    SmallRun run = SmallRun.in(folder, String.format(SETTINGS, 2));
    List<String> seen = Collections.synchronizedList(new ArrayList<>());
    run.run(
        new ProcessLauncher(OPTIONS),
        StopSignal.NEVER,
        event -> {
          if (event instanceof StepDone done && done.step() == 1) {
            seen.addAll(children().map(ProcessLauncherTest::rights).toList());
            seen.addAll(meetings());
          }
        });
    assertThat(seen)
        .contains("umask 0077 core 0", "meeting rwx------")
        .containsOnly("umask 0077 core 0", "meeting rwx------");
  }

  private static String rights(ProcessHandle process) {
    Path files = Path.of("/proc", Long.toString(process.pid()));
    return "umask %s core %s"
        .formatted(
            word(files.resolve("status"), "Umask:\\s+(\\d+)"),
            word(files.resolve("limits"), "Max core file size\\s+(\\w+)"));
  }

  private static String word(Path file, String pattern) {
    try {
      Matcher matcher = Pattern.compile(pattern).matcher(Files.readString(file));
      return matcher.find() ? matcher.group(1) : "none";
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> meetings() {
    List<String> found = new ArrayList<>();
    Path temporary = Path.of(System.getProperty("java.io.tmpdir"));
    try (DirectoryStream<Path> folders =
        Files.newDirectoryStream(temporary, ProcessLauncher.MEETING + "*")) {
      for (Path each : folders) {
        try {
          found.add(
              "meeting " + PosixFilePermissions.toString(Files.getPosixFilePermissions(each)));
        } catch (NoSuchFileException gone) {
          // Another launcher's, which has ended.
          continue;
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return found;
  }

  private static Stream<ProcessHandle> children() {
    return ProcessHandle.current()
        .children()
        .filter(child -> child.info().commandLine().orElse("").contains("WorkerMain"));
  }

  private static void killOneChild() {
    children().findFirst().orElseThrow().destroyForcibly();
  }
}
