package dev.kindling.comm.ring;

import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.DType;
import java.nio.ByteBuffer;

/**
 * The collective this rank is in, and its 32-byte header on the wire: magic, operation, dtype,
 * reduction, algorithm, sequence number, bytes, root, CRC32C of what follows it at once. Both ends
 * of a connection send it first and compare, so ranks that disagree stop with both sides named
 * instead of waiting for ever. One object per communicator, reused.
 */
final class Call {
  static final int HEADER_BYTES = 32;
  private static final int SUM = 28;
  private static final int MAGIC = 0x4b4e4431;

  Operation operation = Operation.ALL_REDUCE;
  DType dtype = DType.F32;
  Reduction reduction = Reduction.SUM;
  ReductionOrder order = ReductionOrder.RING;
  long sequence;
  long bytes;
  int root;

  void set(Operation what, long callBytes, DType type, Reduction op, int rootRank) {
    operation = what;
    bytes = callBytes;
    dtype = type;
    reduction = op;
    root = rootRank;
  }

  void write(ByteBuffer header) {
    header.putInt(0, MAGIC);
    header.put(4, (byte) operation.ordinal());
    header.put(5, (byte) dtype.ordinal());
    header.put(6, (byte) reduction.ordinal());
    header.put(7, (byte) order.ordinal());
    header.putLong(8, sequence);
    header.putLong(16, bytes);
    header.putInt(24, root);
    header.putInt(SUM, 0);
  }

  static void putSum(ByteBuffer header, int sum) {
    header.putInt(SUM, sum);
  }

  static int sum(ByteBuffer header) {
    return header.getInt(SUM);
  }

  boolean matches(ByteBuffer own, ByteBuffer other) {
    for (int i = 0; i < SUM; i += Integer.BYTES) {
      if (own.getInt(i) != other.getInt(i)) {
        return false;
      }
    }
    return true;
  }

  static String describe(ByteBuffer header) {
    int code = header.get(4);
    if (header.getInt(0) != MAGIC || code < 0 || code >= Operation.values().length) {
      return "bytes that are no header";
    }
    Operation what = Operation.values()[code];
    var text = new StringBuilder(what.word()).append(' ').append(header.getLong(8));
    text.append(" of ").append(header.getLong(16)).append(" bytes");
    if (what == Operation.ALL_REDUCE || what == Operation.REDUCE_SCATTER) {
      text.append(' ').append(name(DType.values(), header.get(5)));
      text.append(' ').append(name(Reduction.values(), header.get(6)));
      text.append(" in order ").append(name(ReductionOrder.values(), header.get(7)));
    }
    if (what == Operation.BROADCAST) {
      text.append(" from rank ").append(header.getInt(24));
    }
    return text.toString();
  }

  private static String name(Enum<?>[] values, int code) {
    return code >= 0 && code < values.length ? values[code].name() : "?" + code;
  }

  @Override
  public String toString() {
    return operation.word() + ' ' + sequence;
  }
}
