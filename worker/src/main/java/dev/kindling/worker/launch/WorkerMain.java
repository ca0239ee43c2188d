package dev.kindling.worker.launch;

import dev.kindling.comm.rendezvous.FileRendezvous;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.worker.event.EventCodec;
import dev.kindling.worker.event.WorkerEvent;
import dev.kindling.worker.loop.RankContext;
import dev.kindling.worker.loop.RingConnector;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.WorkerResult;
import dev.kindling.worker.loop.WorkerTask;
import dev.kindling.worker.store.BuildFolder;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A rank as a plain process; started by {@link ProcessLauncher} and by nobody else. */
public final class WorkerMain {
  private static final Logger LOG = LoggerFactory.getLogger(WorkerMain.class);
  private static final Duration MEETING = Duration.ofMinutes(1);
  private static final int LOST_PARENT = 6;

  private final DataOutputStream out;
  private final EventCodec codec = new EventCodec();
  private final AtomicBoolean stop = new AtomicBoolean();
  private volatile @Nullable Path meeting;

  private WorkerMain(DataOutputStream out) {
    this.out = out;
  }

  /** Reads its order from standard input; takes no argument. */
  public static void main(String[] args) throws IOException {
    SerialFilter.refuseAll();
    // Ctrl-C reaches the whole process group; the parent decides what happens and says so.
    SystemSignals.on("INT", () -> {});
    SystemSignals.on("TERM", () -> {});
    WorkerMain worker = new WorkerMain(WorkerPipe.frames());
    System.exit(worker.work(new DataInputStream(new BufferedInputStream(System.in))));
  }

  private int work(DataInputStream in) throws IOException {
    WorkerPipe.Order order = WorkerPipe.readOrder(in);
    Failpoint.processIs(order.rank());
    Path place = Path.of(order.rendezvousFolder());
    meeting = place;
    Thread listener = new Thread(() -> listen(in), "orders");
    listener.setDaemon(true);
    listener.start();
    try {
      FileRendezvous rendezvous =
          new FileRendezvous(place, order.rank(), order.worldSize(), MEETING);
      RankContext context =
          new RankContext(
              rendezvous,
              new RingConnector(),
              this::emit,
              () -> stop.get() ? StopRequest.CHECKPOINT_AND_STOP : StopRequest.NONE,
              order.worldSize());
      WorkerResult result = WorkerTask.run(order.assignment(), context);
      Failpoint.RESULT_TELL.before();
      WorkerPipe.writeFrame(out, WorkerPipe.RESULT, WorkerPipe.encode(result));
      Failpoint.RESULT_TELL.after();
      return 0;
    } catch (RuntimeException | Error failure) {
      LOG.info("rank {} failed", order.rank(), failure);
      RankFailure reason = RankFailure.of(order.rank(), failure);
      byte[] text = reason.encode().getBytes(StandardCharsets.UTF_8);
      WorkerPipe.writeFrame(out, WorkerPipe.FAILURE, text);
      return reason.kind().exitCode();
    }
  }

  private void listen(InputStream in) {
    try {
      int word = in.read();
      while (word == WorkerPipe.STOP) {
        stop.set(true);
        word = in.read();
      }
    } catch (IOException broken) {
      // Treated as the end below.
    }
    parentIsGone();
  }

  /** Nobody would see a result, and a commit could fight a new attempt. */
  private void parentIsGone() {
    try {
      Path place = meeting;
      if (place != null) {
        BuildFolder.delete(place);
      }
    } catch (IOException | UncheckedIOException another) {
      // Every rank tries.
    }
    Runtime.getRuntime().halt(LOST_PARENT);
  }

  private void emit(WorkerEvent event) {
    try {
      synchronized (codec) {
        WorkerPipe.writeFrame(out, WorkerPipe.EVENT, codec.encode(event));
      }
    } catch (IOException lost) {
      parentIsGone();
    }
  }
}
