package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.BlockFold;
import dev.kindling.comm.reduce.SpanView;

/**
 * Exact all-reduce and reduce-scatter: every rank receives its slice from all others, folds the
 * ranks in tree order, and sends the result to all (design/reliability.md 5.2). Sends 2 (W-1)/W N
 * bytes per rank, as a ring does, in two hops instead of 2 (W-1).
 *
 * <p>All phases overlap: a piece of the slice is folded as soon as every peer delivered it, and
 * leaves at once. Overwriting a peer's slice in place is safe, for its result arrives only after
 * the peer has received our share of it.
 */
final class SliceFlow implements Flow {
  private static final int SMALLEST_FOLD_BYTES = 16 << 10;

  private final int rank;
  private final int worldSize;
  private final Exchange exchange;
  private final Call call;
  private final BlockFold fold;
  private final int smallestFold;
  private SpanView source;
  private SpanView target;
  private int sourceOffset;
  private int targetOffset;
  private int sliceBytes;
  private long folded;

  SliceFlow(int rank, int worldSize, Exchange exchange, Call call, int windowBytes) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.exchange = exchange;
    this.call = call;
    fold = new BlockFold(worldSize);
    // More than the window could hold would wait for ever.
    smallestFold = Math.min(SMALLEST_FOLD_BYTES, windowBytes / 2);
    source = exchange.header();
    target = source;
  }

  /** Sums {@code data} in place on all ranks. */
  void allReduce(SpanView data, int bytes) {
    int own = Slices.start(bytes, worldSize, rank);
    begin(data, own, data, own, Slices.bytes(bytes, worldSize, rank));
    for (Lane lane : exchange.peers()) {
      int start = Slices.start(bytes, worldSize, lane.peer);
      int length = Slices.bytes(bytes, worldSize, lane.peer);
      exchange.open(lane.peer, 0);
      lane.out.add(data, start, length);
      lane.out.allowAll();
      lane.out.add(data, own, sliceBytes);
      lane.in.addWindow(sliceBytes);
      lane.in.add(data, start, length);
    }
    exchange.run(this);
  }

  /** Sums slice {@code rank} of all ranks' {@code send} into {@code receive}. */
  void reduceScatter(SpanView send, SpanView receive, int bytes) {
    begin(send, rank * bytes, receive, 0, bytes);
    for (Lane lane : exchange.peers()) {
      exchange.open(lane.peer, 0);
      lane.out.add(send, lane.peer * bytes, bytes);
      lane.out.allowAll();
      lane.in.addWindow(bytes);
    }
    exchange.run(this);
  }

  private void begin(SpanView from, int fromOffset, SpanView to, int toOffset, int bytes) {
    source = from;
    sourceOffset = fromOffset;
    target = to;
    targetOffset = toOffset;
    sliceBytes = bytes;
    folded = 0;
  }

  @Override
  public void advance() {
    long arrived = sliceBytes;
    for (Lane lane : exchange.peers()) {
      arrived = Math.min(arrived, lane.in.done() - Call.HEADER_BYTES);
    }
    arrived &= -4L;
    if (arrived <= folded || (arrived < sliceBytes && arrived - folded < smallestFold)) {
      return;
    }
    while (folded < arrived) {
      foldPiece(arrived);
    }
    for (Lane lane : exchange.peers()) {
      lane.inlet.release(folded);
      lane.out.allowBeyond(folded);
    }
  }

  private void foldPiece(long arrived) {
    int bytes = (int) (arrived - folded);
    for (Lane lane : exchange.peers()) {
      bytes = Math.min(bytes, lane.inlet.window().length() - lane.inlet.place(folded));
    }
    fold.clear();
    for (int r = 0; r < worldSize; r++) {
      if (r == rank) {
        fold.add(source, (int) (sourceOffset + folded));
      } else {
        Inlet inlet = exchange.lane(r).inlet;
        fold.add(inlet.window(), inlet.place(folded));
      }
    }
    fold.into(target, (int) (targetOffset + folded), bytes, call.dtype, call.reduction);
    folded += bytes;
  }
}
