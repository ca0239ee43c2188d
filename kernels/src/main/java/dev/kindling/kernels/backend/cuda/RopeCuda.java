package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Rope;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/** Kernels of rope.cu. The angles of each (headDim, theta) lie in one table per device. */
final class RopeCuda {
  private static final int THREADS = 256;
  private static final int HEADS = 4;

  private RopeCuda() {}

  static void bind(Binding b, Node node) {
    Rope op = Binding.op(node, Rope.class);
    Operand x = b.in(node, 0);
    Operand y = b.out(node, 0);
    int heads = x.columns() / op.headDim();
    boolean wide =
        op.headDim() % 16 == 0
            && x.stride() % 8 == 0
            && y.stride() % 8 == 0
            && x.address() % 16 == 0
            && y.address() % 16 == 0;
    int rows = x.rows();
    long table = b.dry() ? 0 : b.engine().ropeTable(op.headDim(), op.theta(), rows);
    long items =
        (long) x.rows() * ((heads + HEADS - 1) / HEADS) * (op.headDim() / 2 / (wide ? 8 : 1));
    b.launch("rope" + x.variant())
        .at(x.address(), 0, y.address(), 0, b.in(node, 1).address(), table)
        .at(b.fault("Rope: position of token", node.input(1), rows))
        .ints(x.rows(), heads, 0, op.headDim(), x.stride(), 0, y.stride(), 0)
        .ints(rows, op.inverse() ? 1 : 0, wide ? 1 : 0)
        .grid((items + THREADS - 1) / THREADS, THREADS)
        .ready();
  }

  /** [rows, headDim] fp32: headDim / 2 cosines, then as many sines, computed in fp64. */
  static void fill(long address, int headDim, double theta, int rows) {
    int half = headDim / 2;
    ByteBuffer table = ByteBuffer.allocateDirect(Math.toIntExact(4L * rows * headDim));
    table.order(ByteOrder.LITTLE_ENDIAN);
    for (int position = 0; position < rows; position++) {
      for (int i = 0; i < half; i++) {
        double angle = position * Math.pow(theta, -2.0 * i / headDim);
        table.putFloat(4 * (position * headDim + i), (float) Math.cos(angle));
        table.putFloat(4 * (position * headDim + half + i), (float) Math.sin(angle));
      }
    }
    check(
        JCudaDriver.cuMemcpyHtoD(Address.Device.at(address), Pointer.to(table), table.capacity()),
        "cuMemcpyHtoD rope table");
  }
}
