package dev.kindling.kernels.memory;

import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A piece of host memory, less than 2 GiB: a direct little-endian buffer. Slices share memory with
 * the span they come from; only the allocated span is closed, and nobody may touch it or its slices
 * afterwards.
 */
public final class Span implements AutoCloseable {
  /** Alignment of allocated spans, arenas and variables: one cache line, one 512-bit vector. */
  public static final int ALIGNMENT = 64;

  /** What an allocated span stays below. */
  public static final long BYTES_LIMIT = Integer.MAX_VALUE - 2L * ALIGNMENT + 1;

  private final ByteBuffer buffer;
  private @Nullable ByteBuffer owned;

  private Span(ByteBuffer buffer, @Nullable ByteBuffer owned) {
    this.buffer = buffer;
    this.owned = owned;
  }

  /** Zeroed memory aligned to {@link #ALIGNMENT}. */
  public static Span allocate(long bytes) {
    if (bytes < 0 || bytes >= BYTES_LIMIT) {
      throw new IllegalArgumentException("bytes: expected 0 to just below 2 GiB, found " + bytes);
    }
    ByteBuffer whole = ByteBuffer.allocateDirect((int) aligned(bytes) + ALIGNMENT);
    ByteBuffer aligned = whole.alignedSlice(ALIGNMENT).slice(0, (int) bytes);
    return new Span(aligned.order(ByteOrder.LITTLE_ENDIAN), whole);
  }

  /** Memory that somebody else owns, such as page-locked memory of a device driver. */
  public static Span of(ByteBuffer buffer) {
    return new Span(buffer.slice().order(ByteOrder.LITTLE_ENDIAN), null);
  }

  /** Bytes rounded up to {@link #ALIGNMENT}. */
  public static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Little-endian view with its own position 0 and limit {@link #bytes}. */
  public ByteBuffer buffer() {
    return buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN);
  }

  public long bytes() {
    return buffer.limit();
  }

  public Span slice(long offset, long bytes) {
    ByteBuffer part = buffer.slice(Math.toIntExact(offset), Math.toIntExact(bytes));
    return new Span(part.order(ByteOrder.LITTLE_ENDIAN), null);
  }

  public float getFloat(long index) {
    return buffer.getFloat(Math.toIntExact(index * Float.BYTES));
  }

  public void putFloat(long index, float value) {
    buffer.putFloat(Math.toIntExact(index * Float.BYTES), value);
  }

  public int getInt(long index) {
    return buffer.getInt(Math.toIntExact(index * Integer.BYTES));
  }

  public void putInt(long index, int value) {
    buffer.putInt(Math.toIntExact(index * Integer.BYTES), value);
  }

  /** Copies the values into this span from its start. */
  public void put(float[] values) {
    buffer.asFloatBuffer().put(0, values);
  }

  public void put(int[] values) {
    buffer.asIntBuffer().put(0, values);
  }

  /** All elements as a new array. */
  public float[] toFloats() {
    float[] values = new float[buffer.limit() / Float.BYTES];
    buffer.asFloatBuffer().get(0, values);
    return values;
  }

  /** Returns the memory now instead of at some garbage collection; a run holds gigabytes. */
  @Override
  public void close() {
    ByteBuffer whole = owned;
    owned = null;
    if (whole != null) {
      try {
        Class<?> type = Class.forName("sun.misc.Unsafe");
        Field field = type.getDeclaredField("theUnsafe");
        field.setAccessible(true);
        Method cleaner = type.getMethod("invokeCleaner", ByteBuffer.class);
        cleaner.invoke(field.get(null), whole);
      } catch (ReflectiveOperationException unavailable) {
        throw new IllegalStateException("this JDK cannot release a direct buffer", unavailable);
      }
    }
  }
}
