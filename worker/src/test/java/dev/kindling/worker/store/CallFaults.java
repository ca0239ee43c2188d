package dev.kindling.worker.store;

import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** Makes calls of a medium fail, or take their time. One call is counted at a time. */
public final class CallFaults {
  /** What a medium is asked for. */
  public enum Kind {
    /** A look at a name, a listing, an opening, a read. */
    LOOK,
    /** A file, a folder or a link that appears. */
    MAKE,
    RENAME,
    DELETE,
    WRITE,
    FORCE,
    /** The end of a stream; on an object store what makes the object. */
    CLOSE
  }

  private final Map<Kind, Integer> counts = new TreeMap<>();
  private int untilFailure;
  private Kind failing;
  private String message = "";
  private long latencyMicros;

  /** The n-th call from now on fails once; none does at 0. */
  public synchronized void failAt(int call, String text) {
    untilFailure = call;
    message = text;
  }

  /** Whether it came to that. */
  public synchronized boolean met() {
    return untilFailure <= 0;
  }

  /** All calls of a kind fail, until {@link #end}. */
  public synchronized void fail(Kind kind, String text) {
    failing = kind;
    message = text;
  }

  /** Every call takes as long. */
  public synchronized void delay(long micros) {
    latencyMicros = micros;
  }

  /** Nothing fails any more. */
  public synchronized void end() {
    failing = null;
    untilFailure = 0;
    latencyMicros = 0;
  }

  /** Calls so far. */
  public synchronized Map<Kind, Integer> counts() {
    return new TreeMap<>(counts);
  }

  /** Told by a medium before it does anything. */
  public synchronized void call(Kind kind) throws IOException {
    counts.merge(kind, 1, Integer::sum);
    if (latencyMicros > 0) {
      try {
        TimeUnit.MICROSECONDS.sleep(latencyMicros);
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
        throw new IOException(stopped);
      }
    }
    if (kind == failing || (untilFailure > 0 && --untilFailure == 0)) {
      throw new IOException(message);
    }
  }

  /** Of a local disk. */
  public MemoryFileSystem.Journal local() {
    return new MemoryFileSystem.Journal() {
      @Override
      public void change(LocalCall call) throws IOException {
        CallFaults.this.call(kind(call));
      }

      @Override
      public void look() throws IOException {
        CallFaults.this.call(Kind.LOOK);
      }
    };
  }

  private static Kind kind(LocalCall call) {
    if (call instanceof LocalCall.Entries entries) {
      if (entries.nodes().size() > 1) {
        return Kind.RENAME;
      }
      return entries.nodes().containsValue(LocalCall.NOTHING) ? Kind.DELETE : Kind.MAKE;
    }
    return call instanceof LocalCall.Written ? Kind.WRITE : Kind.FORCE;
  }
}
