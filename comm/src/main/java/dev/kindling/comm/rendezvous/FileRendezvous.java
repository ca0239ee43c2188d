package dev.kindling.comm.rendezvous;

import dev.kindling.kernels.backend.CollectiveException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Ranks as plain processes meet in a folder that all of them see, private to the user and to one
 * attempt. Each message is one file, moved into place atomically, so a reader sees all of it or
 * nothing. Whoever made the folder deletes it.
 */
public final class FileRendezvous implements Rendezvous {
  private static final long POLL_MILLIS = 5;

  private final Path folder;
  private final int rank;
  private final int worldSize;
  private final Duration timeout;
  private int round;

  /** Meets in {@code folder}, waiting at most {@code timeout} for the last rank of each round. */
  public FileRendezvous(Path folder, int rank, int worldSize, Duration timeout) {
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException("rank: " + rank + " is outside 0.." + (worldSize - 1));
    }
    this.folder = folder;
    this.rank = rank;
    this.worldSize = worldSize;
    this.timeout = timeout;
  }

  @Override
  public int rank() {
    return rank;
  }

  @Override
  public int worldSize() {
    return worldSize;
  }

  @Override
  public List<String> allGather(String message) {
    int current = round++;
    try {
      Path draft = folder.resolve("round-" + current + "-rank-" + rank + ".draft");
      Files.writeString(draft, message, StandardCharsets.UTF_8);
      Files.move(draft, file(current, rank), StandardCopyOption.ATOMIC_MOVE);
      long deadline = System.nanoTime() + timeout.toNanos();
      while (!absent(current).isEmpty()) {
        if (System.nanoTime() - deadline > 0) {
          throw new CollectiveException(
              "rendezvous round "
                  + current
                  + " in "
                  + folder
                  + ": waited "
                  + timeout.toMillis()
                  + " ms, ranks "
                  + absent(current)
                  + " did not come");
        }
        Thread.sleep(POLL_MILLIS);
      }
      var messages = new ArrayList<String>();
      for (int peer = 0; peer < worldSize; peer++) {
        messages.add(Files.readString(file(current, peer), StandardCharsets.UTF_8));
      }
      return List.copyOf(messages);
    } catch (IOException e) {
      throw new CollectiveException("rendezvous in " + folder + " failed: " + e, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CollectiveException("rendezvous in " + folder + " was interrupted", e);
    }
  }

  private List<Integer> absent(int current) {
    var absent = new ArrayList<Integer>();
    for (int peer = 0; peer < worldSize; peer++) {
      if (!Files.exists(file(current, peer))) {
        absent.add(peer);
      }
    }
    return absent;
  }

  private Path file(int current, int peer) {
    return folder.resolve("round-" + current + "-rank-" + peer);
  }
}
