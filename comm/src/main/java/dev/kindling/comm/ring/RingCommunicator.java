package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.BlockFold;
import dev.kindling.comm.reduce.SpanView;
import dev.kindling.comm.reduce.ViewCache;
import dev.kindling.comm.rendezvous.Rendezvous;
import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * Collectives over TCP between ranks in different JVMs or hosts: one authenticated connection per
 * pair of ranks, all driven by the calling thread.
 *
 * <p>Small all-reduces are sent whole to every rank (one hop); larger ones go round a ring, or in
 * {@link ReductionOrder#TREE} by exchange of slices. The order of summation is fixed in each case,
 * so bits never depend on timing. In TREE order small and large messages are both folded as {@link
 * dev.kindling.comm.reduce.LogicalTree} says.
 *
 * <p>One thread at a time; {@link #abort} and {@link #close} from any. Steady state allocates
 * nothing. After any {@link CollectiveException} the communicator is unusable and its connections
 * are closed, which ends the peers' collectives at once too. {@code send} returns when the kernel
 * has taken the bytes; the receiver may not have read them yet.
 */
public final class RingCommunicator implements Communicator {
  /** A sharded step passes a few for every weight. */
  private static final int REMEMBERED_SPANS = 4096;

  private final int rank;
  private final int worldSize;
  private final ReductionOrder order;
  private final int directBytes;
  private final Call call = new Call();
  private final Exchange exchange;
  private final ViewCache views = new ViewCache(REMEMBERED_SPANS);
  private final SliceFlow sliceFlow;
  private final RingFlow ringFlow;
  private final ChainFlow chainFlow;
  private final BlockFold fold;
  private final long[] sentTo;
  private final long[] receivedFrom;
  private long collectives;
  private long waitNanos;

  private RingCommunicator(
      int rank,
      int worldSize,
      @Nullable SocketChannel[] channels,
      @Nullable SharedLink[] links,
      RingOptions options)
      throws IOException {
    this.rank = rank;
    this.worldSize = worldSize;
    order = options.order();
    directBytes = options.tuning().directBytes();
    call.order = order;
    exchange = new Exchange(rank, channels, links, call, options);
    sliceFlow = new SliceFlow(rank, worldSize, exchange, call, options.tuning().smallestWindow());
    ringFlow = new RingFlow(rank, worldSize, exchange, call);
    chainFlow = new ChainFlow(rank, worldSize, exchange);
    fold = new BlockFold(worldSize);
    sentTo = new long[worldSize];
    receivedFrom = new long[worldSize];
  }

  /**
   * Meets the other ranks at {@code rendezvous} (one allGather), connects to each and proves to
   * each that both know the secret.
   *
   * @throws CollectiveException when the address cannot be bound, a peer does not come within the
   *     time-out, or a peer has another secret, job or attempt
   */
  public static RingCommunicator open(RingOptions options, Rendezvous rendezvous) {
    Failpoint.COMMUNICATOR_OPEN.before();
    @Nullable SocketChannel[] channels = Opening.connect(options, rendezvous);
    try {
      int rank = rendezvous.rank();
      @Nullable SharedLink[] links = SharedOpening.connect(rank, channels, options);
      var communicator =
          new RingCommunicator(rank, rendezvous.worldSize(), channels, links, options);
      Failpoint.COMMUNICATOR_OPEN.after();
      return communicator;
    } catch (IOException e) {
      Opening.closeAll(channels);
      throw new CollectiveException("cannot set up the connections: " + e, e);
    }
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
  public void allReduce(Span data, DType dtype, Reduction op) {
    int bytes = length(data, "data");
    checkMultiple(bytes, dtype);
    long start = begin(Operation.ALL_REDUCE, bytes, dtype, op, 0);
    if (worldSize > 1) {
      SpanView view = views.of(data);
      if (bytes <= directBytes) {
        direct(view, bytes);
      } else if (order == ReductionOrder.TREE) {
        sliceFlow.allReduce(view, bytes);
      } else {
        ringFlow.allReduce(view, bytes);
      }
    }
    end(start);
  }

  private void direct(SpanView view, int bytes) {
    exchange.header().copy(Call.HEADER_BYTES, view, 0, bytes);
    exchange.sumDirect(bytes);
    for (Lane lane : exchange.peers()) {
      exchange.open(lane.peer, bytes);
    }
    exchange.run(Flow.FREE);
    fold.clear();
    for (int r = 0; r < worldSize; r++) {
      if (r == rank) {
        fold.add(view, 0);
      } else {
        fold.add(exchange.lane(r).staging, Call.HEADER_BYTES);
      }
    }
    fold.into(view, 0, bytes, call.dtype, call.reduction);
  }

  @Override
  public void allGather(Span send, Span receive) {
    int bytes = length(send, "send");
    checkLength(receive, (long) bytes * worldSize, "receive");
    long start = begin(Operation.ALL_GATHER, bytes, DType.F32, Reduction.SUM, 0);
    SpanView from = views.of(send);
    SpanView to = views.of(receive);
    to.copy(rank * bytes, from, 0, bytes);
    for (Lane lane : exchange.peers()) {
      exchange.open(lane.peer, 0);
      lane.out.add(from, 0, bytes);
      lane.out.allowAll();
      lane.in.add(to, lane.peer * bytes, bytes);
    }
    exchange.run(Flow.FREE);
    end(start);
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    int bytes = length(receive, "receive");
    checkMultiple(bytes, dtype);
    checkLength(send, (long) bytes * worldSize, "send");
    long start = begin(Operation.REDUCE_SCATTER, bytes, dtype, op, 0);
    if (worldSize > 1) {
      sliceFlow.reduceScatter(views.of(send), views.of(receive), bytes);
    } else {
      views.of(receive).copy(0, views.of(send), 0, bytes);
    }
    end(start);
  }

  @Override
  public void broadcast(Span data, int root) {
    checkPeer(root, "root");
    int bytes = length(data, "data");
    long start = begin(Operation.BROADCAST, bytes, DType.F32, Reduction.SUM, root);
    if (worldSize > 1) {
      chainFlow.broadcast(views.of(data), bytes, root);
    }
    end(start);
  }

  @Override
  public void allToAll(Span send, Span receive) {
    int bytes = length(send, "send") / worldSize;
    checkLength(send, (long) bytes * worldSize, "send");
    checkLength(receive, (long) bytes * worldSize, "receive");
    long start = begin(Operation.ALL_TO_ALL, bytes, DType.F32, Reduction.SUM, 0);
    SpanView from = views.of(send);
    SpanView to = views.of(receive);
    to.copy(rank * bytes, from, rank * bytes, bytes);
    for (Lane lane : exchange.peers()) {
      exchange.open(lane.peer, 0);
      lane.out.add(from, lane.peer * bytes, bytes);
      lane.out.allowAll();
      lane.in.add(to, lane.peer * bytes, bytes);
    }
    exchange.run(Flow.FREE);
    end(start);
  }

  @Override
  public void send(Span data, int peer) {
    checkOther(peer);
    int bytes = length(data, "data");
    long start = beginPair(bytes, sentTo[peer]++, rank);
    Track out = exchange.lane(peer).out;
    out.add(exchange.header(), 0, Call.HEADER_BYTES);
    out.add(views.of(data), 0, bytes);
    out.allowAll();
    exchange.run(Flow.FREE);
    end(start);
  }

  @Override
  public void receive(Span data, int peer) {
    checkOther(peer);
    int bytes = length(data, "data");
    long start = beginPair(bytes, receivedFrom[peer]++, peer);
    Lane lane = exchange.lane(peer);
    lane.in.add(lane.staging, 0, Call.HEADER_BYTES);
    lane.in.allowAll();
    lane.in.add(views.of(data), 0, bytes);
    exchange.run(Flow.FREE);
    end(start);
  }

  @Override
  public long bytesSent() {
    return exchange.bytesSent();
  }

  @Override
  public long waitNanos() {
    return waitNanos;
  }

  /** Fails this rank's running and later collectives, and with them those of all peers, at once. */
  public void abort() {
    exchange.abort("the communicator was aborted");
  }

  @Override
  public void close() {
    exchange.abort("the communicator is closed");
  }

  private long begin(Operation what, long bytes, DType dtype, Reduction op, int root) {
    Failpoint.COLLECTIVE.before();
    call.sequence = ++collectives;
    call.set(what, bytes, dtype, op, root);
    exchange.begin();
    return System.nanoTime();
  }

  /** Messages between two ranks count for themselves: other ranks do not see them. */
  private long beginPair(long bytes, long sequence, int sender) {
    call.sequence = sequence + 1;
    call.set(Operation.POINT_TO_POINT, bytes, DType.F32, Reduction.SUM, sender);
    exchange.begin();
    return System.nanoTime();
  }

  private void end(long start) {
    waitNanos += System.nanoTime() - start;
    Failpoint.COLLECTIVE.after();
  }

  private static int length(Span span, String name) {
    if (span.bytes() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(name + ": " + span.bytes() + " bytes, more than 2^31 - 1");
    }
    return (int) span.bytes();
  }

  private static void checkLength(Span span, long bytes, String name) {
    if (span.bytes() != bytes) {
      throw new IllegalArgumentException(
          name + ": expected " + bytes + " bytes, found " + span.bytes());
    }
  }

  private static void checkMultiple(int bytes, DType dtype) {
    if (bytes % dtype.bytes() != 0) {
      throw new IllegalArgumentException(bytes + " bytes are no whole number of " + dtype);
    }
  }

  private void checkPeer(int peer, String name) {
    if (peer < 0 || peer >= worldSize) {
      throw new IllegalArgumentException(
          name + ": rank " + peer + " is outside 0.." + (worldSize - 1));
    }
  }

  private void checkOther(int peer) {
    checkPeer(peer, "peer");
    if (peer == rank) {
      throw new IllegalArgumentException("peer: rank " + peer + " is this rank");
    }
  }
}
