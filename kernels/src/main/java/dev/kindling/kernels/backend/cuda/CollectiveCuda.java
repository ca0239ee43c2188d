package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Collective;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Collectives. In a world of one they are copies, if anything. A dry binding meets no rank: what
 * they ask for besides the calls is the same in every world.
 */
final class CollectiveCuda {
  private CollectiveCuda() {}

  /** The calls, and behind them the bf16 copies of parameters that they wrote. */
  static CudaKernels.Binder binder(CudaKernels.Binder calls) {
    return (b, node) -> {
      if (!b.dry()) {
        calls.bind(b, node);
      }
      List<Value> parameters =
          node.outputs().stream().filter(output -> b.copyAddress(output) != 0).toList();
      if (!parameters.isEmpty()) {
        ElementCuda.refreshCopies(b, parameters);
      }
    };
  }

  /** Whether the node needs other ranks. */
  static boolean meets(Node node, Map<Axis, Communicator> communicators) {
    if (!(node.op() instanceof Collective op)) {
      return false;
    }
    Communicator communicator = communicators.get(op.axis());
    return communicator != null && communicator.worldSize() > 1;
  }

  static void allReduce(Binding b, Node node) {
    elementwise(b, node, b.communicator(Binding.op(node, AllReduce.class).axis()));
  }

  static void broadcast(Binding b, Node node) {
    Broadcast op = Binding.op(node, Broadcast.class);
    elementwise(b, node, b.communicator(op.axis()).withRoot(node, op.root()));
  }

  static void reduce(Binding b, Node node) {
    Reduce op = Binding.op(node, Reduce.class);
    Communicator communicator = b.communicator(op.axis()).withRoot(node, op.root());
    elementwise(b, node, communicator);
    if (communicator.rank() != op.root()) {
      b.zero(b.out(node, 0));
    }
  }

  static void allGather(Binding b, Node node) {
    AllGather op = Binding.op(node, AllGather.class);
    pieces(b, node, b.communicator(op.axis()).ofDegree(node, op.degree()));
  }

  static void reduceScatter(Binding b, Node node) {
    ReduceScatter op = Binding.op(node, ReduceScatter.class);
    pieces(b, node, b.communicator(op.axis()).ofDegree(node, op.degree()));
  }

  static void allToAll(Binding b, Node node) {
    AllToAll op = Binding.op(node, AllToAll.class);
    pieces(b, node, b.communicator(op.axis()).ofDegree(node, op.degree()));
  }

  /** Output i from input i of all ranks. */
  private static void elementwise(Binding b, Node node, Communicator communicator) {
    List<Stretch> stretches = new ArrayList<>();
    for (int i = 0; i < node.inputs().size(); i++) {
      Operand from = b.in(node, i).flat();
      Operand to = b.out(node, i).flat();
      boolean converts = from.element() != to.element();
      if (from.address() != to.address() && (converts || communicator.worldSize() == 1)) {
        ElementCuda.move(b, from, to);
      }
      stretches.add(Stretch.of(converts ? to : from, to));
    }
    call(b, node, stretches, communicator);
  }

  /** One input and one output, of which one holds a piece for each rank. */
  private static void pieces(Binding b, Node node, Communicator communicator) {
    Operand to = b.out(node, 0).flat();
    // A gather that is read by products sends bf16, half the bytes: the copy where there is one.
    Operand from = (to.element() == Element.BF16 ? b.copyOf(node.input(0)) : b.in(node, 0)).flat();
    if (communicator.worldSize() == 1) {
      ElementCuda.move(b, from, to);
    } else if (from.element() != to.element()) {
      from = narrowed(b, node, from, to, communicator.rank());
    }
    call(b, node, List.of(Stretch.of(from, to)), communicator);
  }

  /** A piece without a copy is converted where it belongs in the whole. */
  private static Operand narrowed(Binding b, Node node, Operand from, Operand to, int rank) {
    if (!(node.op() instanceof AllGather)) {
      throw new DeviceException(
          "cuda: " + node + ": expected one element type, found " + from + " and " + to);
    }
    long address = to.address() + rank * from.elements() * to.element().bytes();
    Operand own = new Operand(address, to.element(), from.shape(), from.stride());
    ElementCuda.move(b, from, own);
    return own;
  }

  private static void call(
      Binding b, Node node, List<Stretch> stretches, Communicator communicator) {
    if (communicator.worldSize() > 1) {
      DeviceCommunicator between = between(node, communicator);
      b.collective(new CollectiveCalls(node.op(), stretches, between, b.stream().number()));
    }
  }

  private static DeviceCommunicator between(Node node, Communicator communicator) {
    if (communicator instanceof DeviceCommunicator device) {
      return device;
    }
    throw new DeviceException(
        "cuda: "
            + node
            + ": expected a communicator between devices, found "
            + communicator.getClass().getSimpleName()
            + " of "
            + communicator.worldSize()
            + " ranks (ranks as threads have none; start them as processes or through Spark)");
  }
}
