package dev.kindling.comm.ring;

import dev.kindling.comm.reduce.SpanView;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Circular memory that one process fills and another one empties: two counters of bytes, each
 * written by one side only, and the data. A counter is published with release order after the copy
 * it announces and read with acquire order before the copy it allows.
 *
 * <p>Both sides round their counters up to a cache line between collectives, so that floats lie
 * aligned whatever was sent before.
 */
final class SharedPipe {
  /** Counters and flag, each on a pair of cache lines of its own. */
  static final int CONTROL_BYTES = 4096;

  private static final int WRITTEN = 0;
  private static final int READ = 128;
  private static final int WRITER_ASLEEP = 256;
  private static final int LINE = 64;
  private static final VarHandle COUNTER =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

  private final ByteBuffer control;
  private final SpanView data;

  /** The pipe in {@code bytes} bytes of {@code memory} from {@code offset}. */
  SharedPipe(ByteBuffer memory, int offset, int bytes) {
    control = memory.slice(offset, CONTROL_BYTES);
    data = SpanView.of(memory.slice(offset + CONTROL_BYTES, bytes));
  }

  SpanView data() {
    return data;
  }

  int place(long counter) {
    return (int) (counter & (data.length() - 1));
  }

  long written() {
    return (long) COUNTER.getAcquire(control, WRITTEN);
  }

  void publishWritten(long bytes) {
    COUNTER.setRelease(control, WRITTEN, bytes);
  }

  long read() {
    return (long) COUNTER.getAcquire(control, READ);
  }

  void publishRead(long bytes) {
    COUNTER.setRelease(control, READ, bytes);
  }

  /** The writing process says whether it waits for a byte on the socket. */
  void sleeps(boolean asleep) {
    COUNTER.setVolatile(control, WRITER_ASLEEP, asleep ? 1L : 0L);
    VarHandle.fullFence();
  }

  /** True once per sleep of the writing process, to the one who now has to wake it. */
  boolean wakes() {
    // Between our counters and its flag: it sets the flag first and looks at the counters then.
    VarHandle.fullFence();
    return (long) COUNTER.getVolatile(control, WRITER_ASLEEP) == 1L
        && COUNTER.compareAndSet(control, WRITER_ASLEEP, 1L, 0L);
  }

  static long aligned(long counter) {
    return (counter + LINE - 1) & -LINE;
  }
}
