package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Ranks with a memory each, in one thread: calls are kept until every rank has made them, then
 * computed. An address is an offset. Every rank must make the same calls.
 */
final class FakeDevices {
  static final int BYTES = 1 << 16;
  static final long STREAM = 77;

  private interface Call {
    void run(List<ByteBuffer> snapshot, ByteBuffer own, int rank);
  }

  private final List<Rank> ranks = new ArrayList<>();

  FakeDevices(int worldSize) {
    for (int rank = 0; rank < worldSize; rank++) {
      ranks.add(new Rank(rank, worldSize));
    }
  }

  Rank rank(int rank) {
    return ranks.get(rank);
  }

  /** Computes what all ranks have asked for since the last time. */
  void run() {
    int calls = ranks.get(0).calls.size();
    for (int i = 0; i < calls; i++) {
      List<ByteBuffer> snapshot = new ArrayList<>();
      for (Rank rank : ranks) {
        if (rank.calls.size() != calls || rank.depth != 0) {
          throw new AssertionError("rank " + rank.rank + " makes other calls than rank 0");
        }
        ByteBuffer copy = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        snapshot.add(copy.put(0, rank.memory, 0, BYTES));
      }
      for (Rank rank : ranks) {
        rank.calls.get(i).run(snapshot, rank.memory, rank.rank);
      }
    }
    ranks.forEach(rank -> rank.calls.clear());
  }

  private static float get(ByteBuffer memory, long address, long index, Element element) {
    int at = Math.toIntExact(address + index * element.bytes());
    return element == Element.BF16
        ? Float.intBitsToFloat(memory.getShort(at) << 16)
        : memory.getFloat(at);
  }

  private static void put(ByteBuffer memory, long address, long index, Element e, float value) {
    int at = Math.toIntExact(address + index * e.bytes());
    if (e == Element.BF16) {
      memory.putShort(at, (short) (Float.floatToRawIntBits(value) >>> 16));
    } else {
      memory.putFloat(at, value);
    }
  }

  /** One of them. */
  static final class Rank implements DeviceCommunicator {
    final ByteBuffer memory = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    final List<String> log = new ArrayList<>();
    boolean failed;
    int completed;
    long exposed;
    private final List<Call> calls = new ArrayList<>();
    private final int rank;
    private final int worldSize;
    private int depth;

    private Rank(int rank, int worldSize) {
      this.rank = rank;
      this.worldSize = worldSize;
    }

    void fill(long address, int count, Element element, float first) {
      for (int i = 0; i < count; i++) {
        put(memory, address, i, element, first + i);
      }
    }

    float[] read(long address, int count, Element element) {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = get(memory, address, i, element);
      }
      return values;
    }

    private void note(String what, long count, long stream, Call call) {
      if (stream != STREAM) {
        throw new AssertionError("expected stream " + STREAM + ", found " + stream);
      }
      log.add(what + " " + count);
      calls.add(call);
    }

    @Override
    public void allReduce(
        long send, long receive, long count, Element element, Reduction op, long stream) {
      note(
          "allReduce",
          count,
          stream,
          (all, own, self) -> sum(all, send, own, receive, count, element));
    }

    private static void sum(
        List<ByteBuffer> all, long from, ByteBuffer own, long to, long count, Element element) {
      for (long i = 0; i < count; i++) {
        float sum = 0;
        for (ByteBuffer memory : all) {
          sum += get(memory, from, i, element);
        }
        put(own, to, i, element, sum);
      }
    }

    @Override
    public void reduceScatter(
        long send, long receive, long count, Element element, Reduction op, long stream) {
      note(
          "reduceScatter",
          count,
          stream,
          (all, own, self) ->
              sum(all, send + self * count * element.bytes(), own, receive, count, element));
    }

    private static void copy(ByteBuffer from, long at, ByteBuffer to, long there, long bytes) {
      to.put((int) there, from, (int) at, (int) bytes);
    }

    @Override
    public void allGather(long send, long receive, long count, Element element, long stream) {
      long bytes = count * element.bytes();
      note(
          "allGather",
          count,
          stream,
          (all, own, self) -> {
            for (int r = 0; r < all.size(); r++) {
              copy(all.get(r), send(send, receive, bytes, r), own, receive + r * bytes, bytes);
            }
          });
    }

    /** In place each rank sends from a place of its own. */
    private long send(long send, long receive, long bytes, int other) {
      return send == receive + rank * bytes ? receive + other * bytes : send;
    }

    @Override
    public void broadcast(
        long send, long receive, long count, Element element, int root, long stream) {
      note(
          "broadcast from " + root,
          count,
          stream,
          (all, own, self) -> copy(all.get(root), send, own, receive, count * element.bytes()));
    }

    @Override
    public void allToAll(long send, long receive, long count, Element element, long stream) {
      long bytes = count * element.bytes();
      note(
          "allToAll",
          count,
          stream,
          (all, own, self) -> {
            for (int r = 0; r < all.size(); r++) {
              copy(all.get(r), send + self * bytes, own, receive + r * bytes, bytes);
            }
          });
    }

    @Override
    public void send(long address, long count, Element element, int peer, long stream) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void receive(long address, long count, Element element, int peer, long stream) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void groupBegin() {
      depth++;
      log.add("begin");
    }

    @Override
    public void groupEnd() {
      depth--;
      log.add("end");
    }

    @Override
    public void submitted(String work, long sentBytes) {
      log.add("submitted " + work + " " + sentBytes);
    }

    @Override
    public void completed() {
      completed++;
    }

    @Override
    public void exposed(long nanos) {
      exposed += nanos;
    }

    @Override
    public boolean failed() {
      return failed;
    }

    @Override
    public void check() {
      if (failed) {
        throw new CollectiveException("rank " + rank + " was told to fail");
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
      throw new UnsupportedOperationException();
    }

    @Override
    public void allGather(Span send, Span receive) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void reduceScatter(Span send, Span receive, DType dtype, Reduction op) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void broadcast(Span data, int root) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void allToAll(Span send, Span receive) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void send(Span data, int peer) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void receive(Span data, int peer) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long bytesSent() {
      return 0;
    }

    @Override
    public long waitNanos() {
      return exposed;
    }

    @Override
    public void close() {
      log.add("close");
    }
  }
}
