package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.AllReduce;

/** Collectives. A world of one needs none; more ranks wait for NCCL. */
final class CollectiveCuda {
  private CollectiveCuda() {}

  static void allReduce(Binding b, Node node) {
    AllReduce op = Binding.op(node, AllReduce.class);
    int ranks = b.communicator(op.axis()).worldSize();
    if (ranks != 1) {
      throw new DeviceException(
          "cuda: " + op + ": expected 1 rank along " + op.axis() + ", found " + ranks);
    }
    for (int i = 0; i < node.inputs().size(); i++) {
      if (b.in(node, i).address() != b.out(node, i).address()) {
        ElementCuda.move(b, b.in(node, i), b.out(node, i));
      }
    }
  }
}
