package dev.kindling.comm.nccl;

import dev.kindling.comm.ring.PeerWatch;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * Collectives between the GPUs of ranks in different processes, through NCCL. Calls on spans go to
 * the host's communicator that it was opened over, and it closes that one with itself.
 *
 * <p>One thread makes the calls; {@link #abort} and {@link #close} from any. Messages name axis,
 * rank, the call or the run that was waited for, and NCCL's code.
 */
public final class NcclCommunicator implements DeviceCommunicator {
  private final Communicator host;
  private final NcclHandle handle;
  private final Watchdog watchdog;
  private final AutoCloseable sight;
  private int depth;
  private volatile long deviceBytes;
  private volatile long deviceNanos;

  NcclCommunicator(Communicator host, NcclHandle handle, Watchdog watchdog, AutoCloseable sight) {
    this.host = host;
    this.handle = handle;
    this.watchdog = watchdog;
    this.sight = sight;
  }

  /**
   * Connects the current device of this thread with those of the other ranks.
   *
   * @param host connects the same ranks; closed with the result, but left open if this fails
   * @param peers watches the same ranks; closed with the result, but left open if this fails
   * @throws dev.kindling.kernels.backend.DeviceException if the library is missing, too old or told
   *     to meet elsewhere
   * @throws CollectiveException if the ranks do not agree or do not connect in time
   */
  public static NcclCommunicator open(NcclOptions options, Communicator host, PeerWatch peers) {
    Environment environment = new Environment(NativeNccl::load, System.getenv());
    return open(options, host, peers, peers::lost, environment);
  }

  /** What a test replaces: the library, and the variables of the environment. */
  record Environment(Supplier<Nccl> library, Map<String, String> variables) {}

  static NcclCommunicator open(
      NcclOptions options,
      Communicator host,
      AutoCloseable sight,
      Supplier<Optional<String>> lost,
      Environment environment) {
    Nccl[] loaded = new Nccl[1];
    NcclHandle handle =
        new NcclOpening(options, host, lost, environment.variables())
            .open(() -> loaded[0] = environment.library().get());
    String who = Watchdog.who(options, host);
    Watchdog watchdog = new Watchdog(who, loaded[0], handle, lost, options);
    return new NcclCommunicator(host, handle, watchdog, sight);
  }

  private void call(String what, long count, Element element, IntSupplier body) {
    watchdog.call(what + " of " + count + " " + element, depth == 0, body);
  }

  @Override
  public void allReduce(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    IntSupplier body = () -> handle.allReduce(send, receive, count, element, op, stream);
    call("allReduce", count, element, body);
  }

  @Override
  public void reduceScatter(
      long send, long receive, long count, Element element, Reduction op, long stream) {
    IntSupplier body = () -> handle.reduceScatter(send, receive, count, element, op, stream);
    call("reduceScatter", count, element, body);
  }

  @Override
  public void allGather(long send, long receive, long count, Element element, long stream) {
    IntSupplier body = () -> handle.allGather(send, receive, count, element, stream);
    call("allGather", count, element, body);
  }

  @Override
  public void broadcast(
      long send, long receive, long count, Element element, int root, long stream) {
    IntSupplier body = () -> handle.broadcast(send, receive, count, element, root, stream);
    call("broadcast from rank " + root, count, element, body);
  }

  @Override
  public void allToAll(long send, long receive, long count, Element element, long stream) {
    long bytes = count * element.bytes();
    group(
        () -> {
          for (int peer = 0; peer < host.worldSize(); peer++) {
            send(send + peer * bytes, count, element, peer, stream);
            receive(receive + peer * bytes, count, element, peer, stream);
          }
        });
  }

  @Override
  public void send(long address, long count, Element element, int peer, long stream) {
    IntSupplier body = () -> handle.send(address, count, element, peer, stream);
    call("send to rank " + peer, count, element, body);
  }

  @Override
  public void receive(long address, long count, Element element, int peer, long stream) {
    IntSupplier body = () -> handle.receive(address, count, element, peer, stream);
    call("receive from rank " + peer, count, element, body);
  }

  @Override
  public void groupBegin() {
    watchdog.groupBegin(handle::groupStart);
    depth++;
  }

  @Override
  public void groupEnd() {
    depth--;
    watchdog.groupEnd(depth == 0, handle::groupEnd);
  }

  @Override
  public void submitted(String work, long sentBytes) {
    watchdog.submitted(work);
    deviceBytes += sentBytes;
  }

  @Override
  public void completed() {
    watchdog.completed();
  }

  @Override
  public void exposed(long nanos) {
    deviceNanos += nanos;
  }

  @Override
  public boolean failed() {
    return watchdog.failed();
  }

  @Override
  public void check() {
    watchdog.check();
  }

  /** Ends what runs on the device; every later call fails. The peers find out by themselves. */
  public void abort(String reason) {
    watchdog.fail(reason);
  }

  @Override
  public int rank() {
    return host.rank();
  }

  @Override
  public int worldSize() {
    return host.worldSize();
  }

  @Override
  public void allReduce(Span data, DType dtype, Reduction op) {
    host.allReduce(data, dtype, op);
  }

  @Override
  public void allGather(Span send, Span receive) {
    host.allGather(send, receive);
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    host.reduceScatter(send, receive, dtype, op);
  }

  @Override
  public void broadcast(Span data, int root) {
    host.broadcast(data, root);
  }

  @Override
  public void allToAll(Span send, Span receive) {
    host.allToAll(send, receive);
  }

  @Override
  public void send(Span data, int peer) {
    host.send(data, peer);
  }

  @Override
  public void receive(Span data, int peer) {
    host.receive(data, peer);
  }

  /** Of the host and of the device. */
  @Override
  public long bytesSent() {
    return host.bytesSent() + deviceBytes;
  }

  /** Of the host and of the device. */
  @Override
  public long waitNanos() {
    return host.waitNanos() + deviceNanos;
  }

  @Override
  public void close() {
    try (host) {
      try {
        watchdog.close();
      } finally {
        sight.close();
      }
    } catch (RuntimeException failure) {
      throw failure;
    } catch (Exception failure) {
      throw new CollectiveException("nccl: cannot close: " + failure, failure);
    }
  }
}
