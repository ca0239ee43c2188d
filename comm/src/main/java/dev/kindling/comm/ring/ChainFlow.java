package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import org.jspecify.annotations.Nullable;

/**
 * Broadcast along the ring from the root: each rank passes bytes on as they arrive, so a long
 * message takes the time of one hop whatever the world size.
 */
final class ChainFlow implements Flow {
  private final int rank;
  private final int worldSize;
  private final Exchange exchange;
  private @Nullable Lane from;
  private @Nullable Lane to;

  ChainFlow(int rank, int worldSize, Exchange exchange) {
    this.rank = rank;
    this.worldSize = worldSize;
    this.exchange = exchange;
  }

  void broadcast(SpanView data, int bytes, int root) {
    int place = Math.floorMod(rank - root, worldSize);
    from = place == 0 ? null : exchange.open(Math.floorMod(rank - 1, worldSize), 0);
    to = place == worldSize - 1 ? null : exchange.open((rank + 1) % worldSize, 0);
    if (from != null) {
      from.in.add(data, 0, bytes);
    }
    if (to != null) {
      to.out.allowAll();
      to.out.add(data, 0, bytes);
      if (from == null) {
        to.out.allowAll();
      }
    }
    exchange.run(this);
  }

  @Override
  public void advance() {
    if (from != null && to != null) {
      to.out.allowBeyond(Math.max(0, from.in.done() - Call.HEADER_BYTES));
    }
  }
}
