package dev.kindling.driver.data;

import dev.kindling.worker.data.WorkPool;
import java.io.PrintWriter;

/** One line when a phase starts, each tenth of it, and at its end. */
final class ProgressLines implements WorkPool.Progress {
  private final PrintWriter out;
  private String phase = "";
  private long tenth = -1;

  ProgressLines(PrintWriter out) {
    this.out = out;
  }

  @Override
  public void report(String now, long done, long total) {
    long reached = total == 0 ? 10 : done * 10 / total;
    if (!now.equals(phase) || reached != tenth) {
      phase = now;
      tenth = reached;
      out.printf("%s %d/%d%n", now, done, total);
      out.flush();
    }
  }
}
