package dev.kindling.driver.plugin;

import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.EventSink;
import dev.kindling.worker.event.LogBuffer;
import dev.kindling.worker.event.LoggedLines;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.plugin.PluginContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A rank's line to the driver. The step only puts into a queue and reads a volatile; one thread
 * sends reports and takes the driver's wish from the answers.
 */
public final class RankLink implements EventSink, StopSignal, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RankLink.class);

  /** How late the driver may see an event, and a rank a stop request. */
  private static final long REPORT_MILLIS = 200;

  /** The last words decide how an attempt is told: one lost answer must not lose them. */
  private static final int LAST_TRIES = 3;

  private static final long LAST_PAUSE_MILLIS = 500;

  /** A slow driver loses the oldest events instead of stopping the step. */
  private static final int QUEUE_EVENTS = 65_536;

  /** Characters of a rank's log that go with a report: it must not hold up what is told. */
  private static final int LOG_CHARS = 64 * 1024;

  /** A full buffer and what its way adds. */
  private static final int LAST_CHUNKS = 8;

  private static volatile @Nullable PluginContext plugin;

  private final PluginContext context;
  private final String run;
  private final int rank;
  private final Outbox outbox = new Outbox(QUEUE_EVENTS);
  private final LogBuffer log;
  private final Object sending = new Object();
  private final ControlCodec codec = new ControlCodec();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Thread thread;
  private volatile StopRequest wish = StopRequest.NONE;

  RankLink(PluginContext context, String run, int rank) {
    this.context = context;
    this.run = run;
    this.rank = rank;
    log = new LogBuffer(rank);
    thread = new Thread(this::report, "kindling-link-" + rank);
    thread.setDaemon(true);
  }

  static void connect(PluginContext context) {
    plugin = context;
  }

  /**
   * Says that the rank started and opens its line.
   *
   * @throws IllegalStateException if this executor runs without the plugin
   */
  public static RankLink open(String run, int rank) throws Exception {
    PluginContext context = plugin;
    if (context == null) {
      throw new IllegalStateException(
          "spark.plugins: expected " + KindlingPlugin.class.getName() + " in every executor");
    }
    if (!"driver".equals(context.executorID())) {
      Failpoint.processIs(rank);
    }
    RankLink link = new RankLink(context, run, rank);
    // The plugin's own hostname() fails in executors, whose RPC environment does not listen.
    String host = SparkEnv.get().blockManager().blockManagerId().host();
    long pid = ProcessHandle.current().pid();
    String executor = context.executorID();
    link.ask(new RankStarted(run, rank, executor, host, pid, System.getProperty("user.dir", "")));
    link.log.put(
        System.currentTimeMillis(), "INFO executor " + executor + ", pid " + pid + " on " + host);
    link.start();
    return link;
  }

  /** What is put there reaches the rank's log file. */
  public LogBuffer log() {
    return log;
  }

  void start() {
    thread.start();
  }

  @Override
  public void emit(WorkerEvent event) {
    outbox.put(event);
  }

  @Override
  public StopRequest poll() {
    return wish;
  }

  /**
   * Sends what is queued and the last words; the driver has them all when this returns. Spark
   * interrupts a rank whose peer is lost, often just then: the flag is set again at the end, and
   * the words are said all the same, since the driver waits for them.
   *
   * @throws Exception of the last of several tries
   */
  public void end(String failure, String message, String trace) throws Exception {
    close();
    RankEnded ended = new RankEnded(run, rank, failure, message, trace);
    boolean interrupted = Thread.interrupted();
    try {
      for (int tries = 1; ; tries++) {
        try {
          sayLast(ended);
          return;
        } catch (Exception e) {
          interrupted |= e instanceof InterruptedException;
          if (tries == LAST_TRIES) {
            throw e;
          }
          if (!(e instanceof InterruptedException)) {
            LOG.warn("rank {}: the driver did not answer the last words, asking again", rank, e);
            interrupted |= slept();
          }
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void sayLast(RankEnded ended) throws Exception {
    flush();
    for (int chunk = 0; chunk < LAST_CHUNKS && takeLog(); chunk++) {
      flush();
    }
    ask(ended);
  }

  /** Whether the pause was interrupted. */
  private static boolean slept() {
    try {
      TimeUnit.MILLISECONDS.sleep(LAST_PAUSE_MILLIS);
      return false;
    } catch (InterruptedException e) {
      return true;
    }
  }

  /**
   * Puts some of the log beside the events. Only once a report, since sending one may itself be
   * logged, and only after everything before has arrived, so that no queue of lines grows.
   *
   * @return false if nothing was logged
   */
  private boolean takeLog() {
    Optional<LoggedLines> lines = log.take(LOG_CHARS);
    lines.ifPresent(outbox::put);
    return lines.isPresent();
  }

  @Override
  public void close() {
    closing.countDown();
    log.close();
  }

  private void report() {
    boolean answered = true;
    while (true) {
      try {
        if (closing.await(REPORT_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
        flush();
        if (takeLog()) {
          flush();
        }
        answered = true;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      } catch (Exception e) {
        // A driver that is gone ends the executor by itself; one late answer is no reason to fail.
        if (answered) {
          LOG.warn("rank {}: the driver did not answer a report; it is sent again", rank, e);
        }
        answered = false;
      }
    }
  }

  private void flush() throws Exception {
    synchronized (sending) {
      do {
        Outbox.Batch batch = outbox.batch();
        ask(new RankReport(run, rank, batch.first(), batch.events()));
        Failpoint.REPORT_ACKNOWLEDGE.before();
        outbox.acknowledged();
        Failpoint.REPORT_ACKNOWLEDGE.after();
      } while (!outbox.isEmpty());
    }
  }

  private void ask(RankMessage message) throws Exception {
    synchronized (sending) {
      if (context.ask(codec.encode(message)) instanceof byte[] reply
          && codec.reply(reply) == StopRequest.CHECKPOINT_AND_STOP) {
        wish = StopRequest.CHECKPOINT_AND_STOP;
      }
    }
  }
}
