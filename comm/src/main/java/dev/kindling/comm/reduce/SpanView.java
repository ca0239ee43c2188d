package dev.kindling.comm.reduce;

import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;

/**
 * One span seen as bytes, floats and ints, little endian. Positions of the views are scratch of
 * their owner; the elements are shared with the span.
 */
public record SpanView(ByteBuffer bytes, FloatBuffer floats, IntBuffer ints) {

  /** Views of {@code span}; nothing is copied. */
  public static SpanView of(Span span) {
    return of(span.buffer());
  }

  /** Views of all of {@code buffer} from 0 to its limit; its own position and order stay. */
  public static SpanView of(ByteBuffer buffer) {
    ByteBuffer bytes = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    bytes.position(0);
    return new SpanView(bytes, bytes.asFloatBuffer(), bytes.asIntBuffer());
  }

  /** Length in bytes. */
  public int length() {
    return bytes.capacity();
  }

  /** Copies {@code count} bytes of {@code source} at {@code from} to this at {@code to}. */
  public void copy(int to, SpanView source, int from, int count) {
    bytes.put(to, source.bytes, from, count);
  }
}
