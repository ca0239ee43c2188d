package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.BlockFold;
import dev.kindling.comm.reduce.SpanView;

/**
 * Ring all-reduce: W - 1 hops that add, W - 1 hops that carry the result round, each rank sending
 * to the next one only.
 *
 * <p>What leaves in hop h + 1 is what arrived in hop h. So the outgoing stream is this rank's own
 * slice followed by the incoming stream, added up on the way: byte p + (own slice) may leave once
 * byte p was worked in. That one inequality is the whole pipeline; hops overlap without any chunk
 * bookkeeping.
 */
final class RingFlow implements Flow {
  private final int rank;
  private final int worldSize;
  private final Exchange exchange;
  private final Call call;
  private final BlockFold fold = new BlockFold(2);
  private final int[] starts;
  private final int[] lengths;
  private final int next;
  private final int previous;
  private SpanView data;
  private long addedTotal;
  private long added;
  private int hop;
  private int inHop;

  RingFlow(int rank, int worldSize, Exchange exchange, Call call) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.exchange = exchange;
    this.call = call;
    starts = new int[worldSize];
    lengths = new int[worldSize];
    next = (rank + 1) % worldSize;
    previous = (rank + worldSize - 1) % worldSize;
    data = exchange.header();
  }

  /** Sums {@code view} in place on all ranks. */
  void allReduce(SpanView view, int bytes) {
    data = view;
    added = 0;
    addedTotal = 0;
    hop = 0;
    inHop = 0;
    for (int r = 0; r < worldSize; r++) {
      starts[r] = Slices.start(bytes, worldSize, r);
      lengths[r] = Slices.bytes(bytes, worldSize, r);
    }
    Track out = exchange.open(next, 0).out;
    Track in = (next == previous ? exchange.lane(next) : exchange.open(previous, 0)).in;
    for (int h = 0; h < 2 * worldSize - 2; h++) {
      int leaving = slice(h);
      out.add(data, starts[leaving], lengths[leaving]);
      if (h == 0) {
        out.allowAll();
      }
      int coming = slice(h + 1);
      if (h < worldSize - 1) {
        in.addWindow(lengths[coming]);
        addedTotal += lengths[coming];
      } else {
        in.add(data, starts[coming], lengths[coming]);
      }
    }
    exchange.run(this);
  }

  /** The slice that leaves this rank in hop {@code h}, and arrived in hop {@code h - 1}. */
  private int slice(int h) {
    return Math.floorMod(rank - h, worldSize);
  }

  @Override
  public void advance() {
    Lane from = exchange.lane(previous);
    long arrived = Math.max(0, from.in.done() - Call.HEADER_BYTES);
    long toAdd = Math.min(arrived, addedTotal) & -4L;
    SpanView window = from.inlet.window();
    while (added < toAdd) {
      int coming = slice(hop + 1);
      if (inHop == lengths[coming]) {
        hop++;
        inHop = 0;
        continue;
      }
      int at = from.inlet.place(added);
      int bytes =
          (int) Math.min(Math.min(toAdd - added, lengths[coming] - inHop), window.length() - at);
      fold.clear();
      fold.add(data, starts[coming] + inHop);
      fold.add(window, at);
      fold.into(data, starts[coming] + inHop, bytes, call.dtype, call.reduction);
      added += bytes;
      inHop += bytes;
    }
    from.inlet.release(added);
    exchange.lane(next).out.allowBeyond(added + Math.max(0, arrived - addedTotal));
  }
}
