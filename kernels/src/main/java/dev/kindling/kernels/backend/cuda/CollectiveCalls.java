package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Reduction;
import dev.kindling.kernels.graph.op.AllGather;
import dev.kindling.kernels.graph.op.AllReduce;
import dev.kindling.kernels.graph.op.AllToAll;
import dev.kindling.kernels.graph.op.Broadcast;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.Reduce;
import dev.kindling.kernels.graph.op.ReduceScatter;
import java.util.List;

/** One collective node as calls of a communicator, as few as the memory allows. */
final class CollectiveCalls {
  private final Op op;
  private final List<Stretch> stretches;
  private final DeviceCommunicator communicator;
  private final long stream;

  /**
   * @param stretches from input i to output i, not yet merged; of one that scatters or gathers
   *     there is only one, and it counts the elements of the input
   */
  CollectiveCalls(Op op, List<Stretch> stretches, DeviceCommunicator communicator, long stream) {
    this.op = op;
    this.stretches = Stretch.merge(stretches);
    this.communicator = communicator;
    this.stream = stream;
  }

  /** How many calls it takes. */
  int count() {
    return stretches.size();
  }

  DeviceCommunicator communicator() {
    return communicator;
  }

  /** Makes the calls; several belong into a group. */
  void enqueue() {
    for (Stretch stretch : stretches) {
      call(stretch);
    }
  }

  private void call(Stretch s) {
    long piece = s.elements() / communicator.worldSize();
    Reduction sum = Reduction.SUM;
    if (op instanceof AllReduce || op instanceof Reduce) {
      communicator.allReduce(s.send(), s.receive(), s.elements(), s.element(), sum, stream);
    } else if (op instanceof Broadcast broadcast) {
      communicator.broadcast(
          s.send(), s.receive(), s.elements(), s.element(), broadcast.root(), stream);
    } else if (op instanceof AllGather) {
      communicator.allGather(s.send(), s.receive(), s.elements(), s.element(), stream);
    } else if (op instanceof ReduceScatter) {
      communicator.reduceScatter(s.send(), s.receive(), piece, s.element(), sum, stream);
    } else if (op instanceof AllToAll) {
      communicator.allToAll(s.send(), s.receive(), piece, s.element(), stream);
    } else {
      throw new DeviceException("cuda: no collective " + op);
    }
  }

  /** Payload bytes that a rank sends, as a mean over the ranks. */
  long sentBytes() {
    int ranks = communicator.worldSize();
    long bytes = stretches.stream().mapToLong(Stretch::bytes).sum();
    if (op instanceof AllReduce || op instanceof Reduce) {
      return 2 * bytes * (ranks - 1) / ranks;
    }
    return op instanceof AllGather ? bytes * (ranks - 1) : bytes * (ranks - 1) / ranks;
  }

  @Override
  public String toString() {
    return op + " in " + stretches.size() + " call(s)";
  }
}
