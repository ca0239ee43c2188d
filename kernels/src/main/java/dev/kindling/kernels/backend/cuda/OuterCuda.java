package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.OuterUpdate;
import dev.kindling.kernels.graph.op.OuterUpdate.Merge;

/** Kernels of outer.cu. */
final class OuterCuda {
  private OuterCuda() {}

  /** Every outer update of the group in one launch. */
  static void update(Binding b, Node node) {
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      OuterUpdate op = Binding.op(each, OuterUpdate.class);
      checkMaster(b, each, 2);
      float[] numbers = {op.nesterov() ? 1f : 0f, op.merge().ordinal()};
      table.add(
          new TensorTable.Entry(
              b.out(each, 2).address(),
              b.in(each, 3).address(),
              b.out(each, 0).address(),
              b.out(each, 1).address(),
              b.copyAddress(each.input(2)),
              each.output(0).shape().elements(),
              numbers,
              op.merge() == Merge.OWN ? b.out(each, 4).address() : 0,
              Element.F32));
    }
    int count = node.inputs().size();
    b.launch("outer_tensors", table)
        .at(b.in(node, count - 2).address(), b.in(node, count - 1).address())
        .ready();
  }

  static void depart(Binding b, Node node) {
    TensorTable table = new TensorTable();
    for (Node each : b.group().nodes()) {
      checkMaster(b, each, 1);
      table.add(
          new TensorTable.Entry(
              b.out(each, 0).address(),
              b.in(each, 1).address(),
              b.in(each, 0).address(),
              0,
              0,
              each.output(0).shape().elements(),
              new float[0],
              0,
              Element.F32));
    }
    b.launch("depart_tensors", table).ready();
  }

  /** What a round moves a weight by is less than the distance between numbers of bf16. */
  private static void checkMaster(Binding b, Node node, int live) {
    if (b.isBf16Alone(node.input(live))) {
      throw new DeviceException(
          "cuda: " + node + ": expected live weights with an fp32 master, found bf16 alone");
    }
  }

  static void squaredDistance(Binding b, Node node) {
    TensorTable table = new TensorTable();
    for (int i = 0; i < node.inputs().size(); i += 2) {
      checkMaster(b, node, i);
      checkMaster(b, node, i + 1);
      Operand a = b.in(node, i);
      long other = b.in(node, i + 1).address();
      table.add(
          new TensorTable.Entry(
              0, a.address(), other, 0, 0, a.elements(), new float[0], 0, Element.F32));
    }
    long partials = b.scratch((long) table.pieces() * Double.BYTES);
    b.launch("squared_distance_partials", table).at(partials).ready();
    b.launch("squared_distance_total")
        .at(partials, b.out(node, 0).address())
        .ints(table.pieces())
        .grid(1, 1024)
        .ready();
  }

  static void stalenessGap(Binding b, Node node) {
    b.launch("staleness_gap")
        .at(b.in(node, 0).address(), b.in(node, 1).address(), b.in(node, 2).address())
        .at(b.out(node, 0).address())
        .grid(1, 1)
        .ready();
  }
}
