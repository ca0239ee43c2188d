package dev.kindling.driver.launch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Assumptions;

/**
 * A control group of this machine for processes of a test, of version 1 or 2. Making one needs
 * root.
 */
final class ControlGroup implements AutoCloseable {
  private static final Path ROOT = Path.of("/sys/fs/cgroup");
  private static final int GONE_TRIES = 500;
  private static final long POLL_MILLIS = 20;

  /** What a group is for: files of version 1 and 2, and the controller that version 2 needs. */
  enum Kind {
    FREEZER("freezer.state", "cgroup.freeze"),
    MEMORY("memory.limit_in_bytes", "memory.max");

    private final String first;
    private final String second;

    Kind(String first, String second) {
      this.first = first;
      this.second = second;
    }

    private String controller() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }
  }

  private final Path folder;
  private final Kind kind;

  private ControlGroup(Path folder, Kind kind) {
    this.folder = folder;
    this.kind = kind;
  }

  /** Makes a group, or skips the test and says why it cannot. */
  static ControlGroup of(Kind kind) {
    String name = "kindling-test-" + ProcessHandle.current().pid();
    String refusal = "no writable control groups of the kind " + kind;
    for (Path parent : List.of(ROOT.resolve(kind.controller()), ROOT)) {
      Path folder = parent.resolve(name);
      try {
        Files.createDirectory(folder);
        if (Files.isWritable(folder.resolve(kind.first))
            || Files.isWritable(folder.resolve(kind.second))) {
          return new ControlGroup(folder, kind);
        }
        Files.delete(folder);
      } catch (IOException failed) {
        refusal = failed.toString();
      }
    }
    System.out.println("skipped, since this machine makes no control group: " + refusal);
    return Assumptions.abort("this machine makes no control group: " + refusal);
  }

  private boolean isFirst() {
    return Files.exists(folder.resolve(kind.first));
  }

  private void set(String first, String second) throws IOException {
    Files.writeString(
        folder.resolve(isFirst() ? kind.first : kind.second), isFirst() ? first : second);
  }

  void add(ProcessHandle process) throws IOException {
    Files.writeString(folder.resolve("cgroup.procs"), Long.toString(process.pid()));
  }

  void freeze() throws IOException {
    set("FROZEN", "1");
  }

  void thaw() throws IOException {
    set("THAWED", "0");
  }

  /** Of what its processes allocate from now on. */
  void limitMemory(long bytes) throws IOException {
    set(Long.toString(bytes), Long.toString(bytes));
  }

  /** Its processes must be at their end. */
  @Override
  public void close() throws IOException {
    if (kind == Kind.FREEZER) {
      thaw();
    }
    for (int tries = 1; ; tries++) {
      try {
        Files.deleteIfExists(folder);
        return;
      } catch (IOException busy) {
        if (tries == GONE_TRIES) {
          throw busy;
        }
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(POLL_MILLIS));
      }
    }
  }
}
