package dev.kindling.worker.launch;

import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogBuffer;
import dev.kindling.worker.event.LogLine;
import dev.kindling.worker.event.LogPump;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.WorkerResult;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The parent's side of one child: its frames, its last words, its end. */
final class WorkerProcess {
  private static final int LAST_LINES = 30;
  private static final long GONE_SECONDS = 10;

  private final int rank;
  private final Process process;
  private final EventSink events;
  private final DataOutputStream orders;
  private final Thread frames;
  private final Thread errors;
  private final Deque<String> lastLines = new ArrayDeque<>();
  private final LogBuffer log;
  private final LogPump pump;
  private volatile @Nullable WorkerResult result;
  private volatile @Nullable RankFailure failure;
  private boolean killed;
  private volatile boolean left;

  WorkerProcess(int rank, Process process, EventSink events, Runnable onEnd) {
    this.rank = rank;
    this.process = process;
    this.events = events;
    this.orders = new DataOutputStream(process.getOutputStream());
    this.log = new LogBuffer(rank);
    this.pump = new LogPump(List.of(log), events);
    this.frames = new Thread(() -> readFrames(onEnd), "frames-rank-" + rank);
    this.errors = new Thread(this::readErrors, "stderr-rank-" + rank);
    frames.setDaemon(true);
    errors.setDaemon(true);
    frames.start();
    errors.start();
  }

  void order(WorkerPipe.Order order) throws IOException {
    WorkerPipe.writeOrder(orders, order);
  }

  /** Asks the rank to stop; a child that is already gone is no error here. */
  void askToStop() {
    try {
      orders.write(WorkerPipe.STOP);
      orders.flush();
    } catch (IOException gone) {
      // Its end is reported by the frames thread.
    }
  }

  boolean alive() {
    return process.isAlive();
  }

  /** Ends a peer of a failed rank; what it says about itself afterwards explains nothing. */
  void kill() {
    killed |= process.isAlive();
    process.destroyForcibly();
  }

  /**
   * Waits for the end of the process and of its streams. One that was killed and hangs in the
   * kernel (a dead file server, a frozen group) is left there: it ends as soon as it can do
   * anything.
   */
  void join() throws InterruptedException {
    if (left) {
      return;
    }
    if (killed && !process.waitFor(GONE_SECONDS, TimeUnit.SECONDS)) {
      left = true;
      String text =
          "process " + process.pid() + " was killed and does not end; it is left to the system";
      events.emit(new LogLine(rank, LogLine.Level.WARN, text));
      return;
    }
    process.waitFor();
    frames.join();
    errors.join();
    pump.finish();
  }

  Optional<WorkerResult> result() {
    return Optional.ofNullable(result);
  }

  /** Why it ended, if it ended without a result. */
  Optional<RankFailure> failure() {
    if (result != null) {
      return Optional.empty();
    }
    RankFailure told = failure;
    if (told != null) {
      return Optional.of(told);
    }
    String words;
    synchronized (lastLines) {
      words = String.join("\n  ", lastLines);
    }
    String end =
        process.isAlive()
            ? "process does not end"
            : "process ended with exit code " + process.exitValue();
    String message =
        end + " without a word" + (words.isEmpty() ? "" : "; its last lines:\n  " + words);
    FailureKind kind = killed ? FailureKind.COMMUNICATION : FailureKind.LOST_WORKER;
    return Optional.of(new RankFailure(kind, rank, message, ""));
  }

  private void readFrames(Runnable onEnd) {
    EventCodec codec = new EventCodec();
    try (DataInputStream in =
        new DataInputStream(new BufferedInputStream(process.getInputStream()))) {
      WorkerPipe.Frame frame = WorkerPipe.readFrame(in);
      while (frame != null) {
        switch (frame.type()) {
          case WorkerPipe.EVENT -> tell(codec.decode(frame.payload()));
          case WorkerPipe.RESULT -> result = WorkerPipe.decodeResult(frame.text());
          case WorkerPipe.FAILURE -> failure = RankFailure.decode(frame.text()).orElse(null);
          default -> throw new IOException("unknown frame of rank " + rank);
        }
        frame = WorkerPipe.readFrame(in);
      }
    } catch (IOException | IllegalArgumentException broken) {
      abandon("broken pipe: " + broken);
    } catch (UnrecordedException unrecorded) {
      abandon(String.valueOf(unrecorded.getMessage()));
    } finally {
      onEnd.run();
    }
  }

  /** Nobody reads on, so the rank would block in its next event, and its peers in it. */
  private void abandon(String reason) {
    failure = new RankFailure(FailureKind.UNEXPECTED, rank, reason, "");
    process.destroyForcibly();
  }

  /** The attempt is over for a rank that was left behind, whatever still lies in its pipe. */
  private void tell(WorkerEvent event) {
    if (left) {
      return;
    }
    try {
      events.emit(event);
    } catch (RuntimeException cause) {
      throw new UnrecordedException(cause);
    }
  }

  /** The parent's own sink failed; the child did nothing wrong. */
  private static final class UnrecordedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UnrecordedException(RuntimeException cause) {
      super("events of the ranks cannot be recorded: " + cause, cause);
    }
  }

  /** Standard error and output, to the last line before the end, however it came. */
  private void readErrors() {
    try (BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(process.getErrorStream(), StandardCharsets.UTF_8))) {
      String line = lines.readLine();
      while (line != null) {
        log.put(System.currentTimeMillis(), line);
        synchronized (lastLines) {
          lastLines.addLast(line);
          if (lastLines.size() > LAST_LINES) {
            lastLines.removeFirst();
          }
        }
        line = lines.readLine();
      }
    } catch (IOException closed) {
      // The end of a killed process.
    }
  }
}
