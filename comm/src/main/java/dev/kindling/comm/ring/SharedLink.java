package dev.kindling.comm.ring;

import java.nio.ByteBuffer;

/**
 * Two pipes through memory that this process and a peer on the same host have mapped, one for each
 * direction. The socket between the two stays: a byte on it wakes a sleeper, its end says that the
 * peer is gone.
 */
final class SharedLink {
  final SharedOutlet outlet;
  final SharedInlet inlet;
  private final SharedPipe out;
  private final SharedPipe in;

  /** The link in {@code memory}; the lower of two ranks takes the first pipe for output. */
  SharedLink(ByteBuffer memory, boolean lower) {
    int bytes = memory.capacity() / 2 - SharedPipe.CONTROL_BYTES;
    var first = new SharedPipe(memory, 0, bytes);
    var second = new SharedPipe(memory, memory.capacity() / 2, bytes);
    out = lower ? first : second;
    in = lower ? second : first;
    outlet = new SharedOutlet(out);
    inlet = new SharedInlet(in);
  }

  /** Size of the memory for pipes of {@code bytes} bytes each. */
  static int size(int bytes) {
    return 2 * (SharedPipe.CONTROL_BYTES + bytes);
  }

  void sleeps(boolean asleep) {
    out.sleeps(asleep);
  }

  /** True if the peer sleeps and the caller has to wake it. */
  boolean wakesPeer() {
    return in.wakes();
  }
}
