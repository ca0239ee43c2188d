package dev.kindling.comm.loopback;

import dev.kindling.comm.reduce.BlockFold;
import dev.kindling.comm.reduce.SpanView;
import dev.kindling.comm.reduce.ViewCache;
import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Collectives between threads of one JVM, straight from memory to memory. Sums always fold the
 * ranks in the order of {@link dev.kindling.comm.reduce.LogicalTree}, so the exact mode holds.
 * {@code send} waits for its {@code receive}. A rank that fails or closes while others are in a
 * collective fails them at once.
 */
public final class LoopbackCommunicator implements Communicator {
  /** A sharded step passes a few for every weight. */
  private static final int REMEMBERED_SPANS = 4096;

  private final LoopbackWorld world;
  private final int rank;
  private final int worldSize;
  private final ViewCache views = new ViewCache(REMEMBERED_SPANS);
  private final BlockFold fold;
  private final long[] sentTo;
  private final long[] receivedFrom;
  private long collectives;
  private long bytesSent;
  private long waitNanos;

  private LoopbackCommunicator(LoopbackWorld world, int rank) {
    this.world = world;
    this.rank = rank;
    worldSize = world.worldSize();
    fold = new BlockFold(worldSize);
    sentTo = new long[worldSize];
    receivedFrom = new long[worldSize];
  }

  /** A world of {@code worldSize} ranks that wait at most 5 minutes for each other. */
  public static List<Communicator> create(int worldSize) {
    return create(worldSize, Duration.ofMinutes(5));
  }

  /** A world whose ranks wait at most {@code timeout} for each other. */
  public static List<Communicator> create(int worldSize, Duration timeout) {
    var world = new LoopbackWorld(worldSize, timeout.toNanos());
    var all = new ArrayList<Communicator>();
    for (int rank = 0; rank < worldSize; rank++) {
      all.add(new LoopbackCommunicator(world, rank));
    }
    return List.copyOf(all);
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
    int bytes = length(data);
    checkMultiple(bytes, dtype);
    String call = enter("allReduce " + dtype + ' ' + op, bytes, data, data);
    int from = piece(bytes, rank);
    int count = piece(bytes, rank + 1) - from;
    copy(
        call,
        () -> {
          fold(from, from, count, dtype, op);
          for (int r = 0; r < worldSize; r++) {
            if (r != rank) {
              world.receive(r).copy(from, world.receive(rank), from, count);
            }
          }
        });
    leave(call, 2L * (bytes - count));
  }

  /** First byte of rank {@code r}'s part: equal whole elements, the last part takes the rest. */
  private int piece(int bytes, int r) {
    return r == worldSize ? bytes : (int) ((long) bytes * r / worldSize) & -4;
  }

  @Override
  public void allGather(Span send, Span receive) {
    int bytes = length(send);
    checkLength(receive, (long) bytes * worldSize, "receive");
    String call = enter("allGather", bytes, send, receive);
    copy(
        call,
        () -> {
          for (int r = 0; r < worldSize; r++) {
            world.receive(rank).copy(r * bytes, world.send(r), 0, bytes);
          }
        });
    leave(call, (worldSize - 1L) * bytes);
  }

  @Override
  public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
    int bytes = length(receive);
    checkMultiple(bytes, dtype);
    checkLength(send, (long) bytes * worldSize, "send");
    String call = enter("reduceScatter " + dtype + ' ' + op, bytes, send, receive);
    copy(call, () -> fold(rank * bytes, 0, bytes, dtype, op));
    leave(call, (worldSize - 1L) * bytes);
  }

  @Override
  public void broadcast(Span data, int root) {
    checkPeer(root, "root");
    int bytes = length(data);
    String call = enter("broadcast from rank " + root, bytes, data, data);
    if (rank != root) {
      copy(call, () -> world.receive(rank).copy(0, world.send(root), 0, bytes));
    }
    leave(call, rank == root ? (worldSize - 1L) * bytes : 0);
  }

  @Override
  public void allToAll(Span send, Span receive) {
    int bytes = length(send) / worldSize;
    checkLength(send, (long) bytes * worldSize, "send");
    checkLength(receive, (long) bytes * worldSize, "receive");
    String call = enter("allToAll", bytes, send, receive);
    copy(
        call,
        () -> {
          for (int r = 0; r < worldSize; r++) {
            world.receive(rank).copy(r * bytes, world.send(r), rank * bytes, bytes);
          }
        });
    leave(call, (worldSize - 1L) * bytes);
  }

  @Override
  public void send(Span data, int peer) {
    checkOther(peer);
    int bytes = length(data);
    SpanView view = views.of(data);
    long start = System.nanoTime();
    String call = pairCall(++sentTo[peer], rank, bytes);
    world.checkOpen(rank, call);
    world.send(rank, peer, new LoopbackWorld.Post(call, view, view));
    bytesSent += bytes;
    waitNanos += System.nanoTime() - start;
  }

  @Override
  public void receive(Span data, int peer) {
    checkOther(peer);
    SpanView view = views.of(data);
    long start = System.nanoTime();
    String call = pairCall(++receivedFrom[peer], peer, length(data));
    world.checkOpen(rank, call);
    world.receive(rank, peer, new LoopbackWorld.Post(call, view, view));
    waitNanos += System.nanoTime() - start;
  }

  private static String pairCall(long sequence, int sender, int bytes) {
    return "send/receive " + sequence + " from rank " + sender + " of " + bytes + " bytes";
  }

  @Override
  public long bytesSent() {
    return bytesSent;
  }

  @Override
  public long waitNanos() {
    return waitNanos;
  }

  /**
   * Fails all ranks of this world at once. When this or {@link #close} returns, or a collective
   * throws, nobody reads or writes the memory of any rank any more.
   */
  public void abort() {
    world.abort("rank " + rank + " aborted");
  }

  @Override
  public void close() {
    world.abort("rank " + rank + " closed its communicator");
  }

  private String enter(String word, int bytes, Span send, Span receive) {
    long start = System.nanoTime();
    String call = word + ' ' + ++collectives + " of " + bytes + " bytes";
    world.checkOpen(rank, call);
    world.enter(rank, new LoopbackWorld.Post(call, views.of(send), views.of(receive)));
    waitNanos += System.nanoTime() - start;
    return call;
  }

  private void copy(String call, Runnable copies) {
    try {
      copies.run();
    } catch (RuntimeException | Error e) {
      world.broken(rank, call, e);
      throw e;
    }
  }

  /**
   * Folds {@code count} bytes at {@code from} of all ranks into this rank's memory at {@code to}.
   */
  private void fold(int from, int to, int count, DType dtype, Reduction op) {
    fold.clear();
    for (int r = 0; r < worldSize; r++) {
      fold.add(world.send(r), from);
    }
    fold.into(world.receive(rank), to, count, dtype, op);
  }

  private void leave(String call, long sent) {
    long start = System.nanoTime();
    world.leave(rank, call);
    bytesSent += sent;
    waitNanos += System.nanoTime() - start;
  }

  private static int length(Span span) {
    return Math.toIntExact(span.bytes());
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
