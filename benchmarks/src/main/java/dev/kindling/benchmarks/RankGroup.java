package dev.kindling.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The ranks of a benchmark as child processes. The first that fails fails the group at once, with
 * its last lines; its peers would wait for it until a time-out.
 */
final class RankGroup implements AutoCloseable {
  private static final int LAST_LINES = 20;
  private static final int DEATH_LIMIT_SECONDS = 20;

  private final List<Rank> ranks = new ArrayList<>();
  private final BlockingQueue<Rank> ended = new LinkedBlockingQueue<>();

  /** A child, and what it has printed on both streams. */
  private record Rank(int number, Process process, List<String> lines) {
    void read(BlockingQueue<Rank> ended) {
      try (var in =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
        for (String line = in.readLine(); line != null; line = in.readLine()) {
          lines.add(line);
        }
        process.waitFor();
      } catch (IOException | InterruptedException closed) {
        // The end of a killed process; nobody waits for it any more.
      }
      ended.add(this);
    }
  }

  /** Starts one more rank; its number is the count of ranks before it. */
  void start(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    Rank rank = new Rank(ranks.size(), process, new ArrayList<>());
    ranks.add(rank);
    Thread reader = new Thread(() -> rank.read(ended), "lines-rank-" + rank.number());
    reader.setDaemon(true);
    reader.start();
  }

  /**
   * Waits until all ranks have ended with exit code 0.
   *
   * @return the lines of rank 0
   * @throws IllegalStateException as soon as a rank ends otherwise, with its last lines; or after
   *     {@code limit} without the end of any rank
   */
  List<String> await(Duration limit) throws InterruptedException {
    for (int i = 0; i < ranks.size(); i++) {
      Rank rank = ended.poll(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (rank == null) {
        throw new IllegalStateException("no rank ended within " + limit.toSeconds() + " s");
      }
      int code = rank.process().exitValue();
      if (code != 0) {
        List<String> lines = rank.lines();
        throw new IllegalStateException(
            "rank %d ended with exit code %d; its last lines:%n  %s"
                .formatted(
                    rank.number(),
                    code,
                    String.join(
                        System.lineSeparator() + "  ",
                        lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()))));
      }
    }
    return List.copyOf(ranks.get(0).lines());
  }

  /** Kills the ranks that are left and waits until they are gone. */
  @Override
  public void close() {
    for (Rank rank : ranks) {
      rank.process().destroyForcibly();
    }
    for (Rank rank : ranks) {
      rank.process().onExit().orTimeout(DEATH_LIMIT_SECONDS, TimeUnit.SECONDS).join();
    }
  }
}
