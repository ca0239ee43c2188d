package dev.kindling.kernels.fault;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A folder with a plan, and this process's place in it. That a line has had its turn is a file that
 * only one process can create: a rank that was killed there is not killed again when it is started
 * anew.
 */
final class Trap {
  /** What the kernel reports of a process that a SIGKILL ended. */
  private static final int KILLED = 137;

  private final Path folder;
  private @Nullable List<Charge> plan;
  private int line;
  private int times;

  Trap(Path folder) {
    this.folder = folder;
  }

  /** The calling process is at a point: nothing happens, or what the plan says. */
  void at(Failpoint point, boolean after, String process) {
    try {
      Charge due = due(point, after, process);
      if (due != null) {
        spring(due);
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized @Nullable Charge due(Failpoint point, boolean after, String process)
      throws IOException {
    List<Charge> charges = plan();
    Files.writeString(
        folder.resolve("met"),
        process + " " + point.moment(after) + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
    while (line < charges.size() && Files.exists(marker(line))) {
      line++;
      times = 0;
    }
    if (line == charges.size() || !charges.get(line).concerns(point, after, process)) {
      return null;
    }
    times++;
    return times == charges.get(line).times() && claim(process) ? charges.get(line) : null;
  }

  private List<Charge> plan() throws IOException {
    List<Charge> known = plan;
    if (known == null) {
      known = new ArrayList<>();
      Path file = folder.resolve("plan");
      for (String text : Files.readAllLines(file, StandardCharsets.UTF_8)) {
        known.add(Charge.parse(text, file + ":" + (known.size() + 1)));
      }
      plan = known;
    }
    return known;
  }

  private Path marker(int index) {
    return folder.resolve("fired-" + (index + 1));
  }

  private boolean claim(String process) throws IOException {
    try {
      Files.writeString(marker(line), process + "\n", StandardOpenOption.CREATE_NEW);
      return true;
    } catch (FileAlreadyExistsException another) {
      return false;
    }
  }

  private static void spring(Charge due) throws IOException, InterruptedException {
    switch (due.action()) {
      case HALT -> Runtime.getRuntime().halt(KILLED);
      case KILL9 -> signal("KILL");
      case STOP -> signal("STOP");
      case THROW -> throw new FaultException(due.point().moment(due.after()));
      case SLEEP -> TimeUnit.MILLISECONDS.sleep(due.millis());
    }
  }

  /** The calling thread goes no further before the signal has arrived. */
  private static void signal(String name) throws IOException, InterruptedException {
    String own = Long.toString(ProcessHandle.current().pid());
    int code = new ProcessBuilder("kill", "-" + name, own).inheritIO().start().waitFor();
    if (code != 0) {
      throw new IOException("kill -" + name + " " + own + " ended with " + code);
    }
    if (name.equals("KILL")) {
      TimeUnit.DAYS.sleep(1);
    }
  }
}
