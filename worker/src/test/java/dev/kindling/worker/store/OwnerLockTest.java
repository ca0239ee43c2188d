package dev.kindling.worker.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OwnerLockTest {
  @TempDir private Path folder;

  /** Takes the lock of the given file, says so, and keeps it until it is killed. */
  static final class Owner {
    private Owner() {}

    public static void main(String[] args) throws Exception {
      Optional<OwnerLock> lock = OwnerLock.take(Path.of(args[0]));
      System.out.println(lock.isPresent() ? "taken" : "refused");
      TimeUnit.HOURS.sleep(1);
    }
  }

  private static Process owner(Path file) throws IOException {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                Owner.class.getName(),
                file.toString())
            .start();
    assertThat(process.inputReader().readLine()).isEqualTo("taken");
    return process;
  }

  @Test
  void oneOwnerAtATimeInsideAProcess() throws IOException {
    Path file = folder.resolve("lock");
    OwnerLock first = OwnerLock.take(file).orElseThrow();
    assertThat(OwnerLock.take(file)).isEmpty();
    assertThat(OwnerLock.take(folder.resolve("../" + folder.getFileName() + "/lock"))).isEmpty();
    assertThat(OwnerLock.owner(file))
        .startsWith("pid " + ProcessHandle.current().pid() + " on ")
        .contains(", started 2");
    first.close();
    assertThat(file).as("names nobody any more").isEmptyFile();
    OwnerLock.take(file).orElseThrow().close();
  }

  @Test
  void anotherProcessKeepsItUntilItIsKilled() throws Exception {
    Path file = folder.resolve("lock");
    Process other = owner(file);
    try {
      assertThat(OwnerLock.take(file, Duration.ofMillis(50))).isEmpty();
      assertThat(OwnerLock.owner(file)).startsWith("pid " + other.pid() + " on ");
    } finally {
      other.destroyForcibly();
    }
    OwnerLock ours = OwnerLock.take(file, Duration.ofMinutes(1)).orElseThrow();
    assertThat(OwnerLock.owner(file)).startsWith("pid " + ProcessHandle.current().pid());
    ours.close();
  }

  @Test
  void lookingAtTheOwnLockDoesNotGiveItUp() throws Exception {
    Path file = folder.resolve("lock");
    try (OwnerLock ours = OwnerLock.take(file).orElseThrow()) {
      OwnerLock.owner(file);
      assertThat(OwnerLock.take(file)).as("%s", ours).isEmpty();
      Process other =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Owner.class.getName(),
                  file.toString())
              .start();
      assertThat(other.inputReader().readLine()).isEqualTo("refused");
      other.destroyForcibly();
    }
  }
}
