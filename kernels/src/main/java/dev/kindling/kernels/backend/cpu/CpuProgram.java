package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Op;
import java.util.Map;

/** A graph whose nodes are bound; running it is one loop over runnables. */
final class CpuProgram implements Program {
  private final Graph graph;
  private final Runnable[] nodes;
  private final long activationBytes;
  private final RopeCpu rope = new RopeCpu();

  CpuProgram(Graph graph, Engine engine) {
    this.graph = graph;
    this.activationBytes = engine.plan().totalBytes();
    Map<Class<? extends Op>, CpuKernel> table = CpuKernels.table(rope);
    nodes = new Runnable[graph.nodes().size()];
    for (Node node : graph.nodes()) {
      CpuKernel kernel = table.get(node.op().getClass());
      if (kernel == null) {
        throw new DeviceException("cpu: no kernel for " + node.op());
      }
      nodes[node.index()] = kernel.bind(new Binding(node, engine));
    }
  }

  @Override
  public void run() {
    for (int i = 0; i < nodes.length; i++) {
      try {
        nodes[i].run();
      } catch (CollectiveException | DeviceException named) {
        throw named;
      } catch (RuntimeException thrown) {
        throw new DeviceException(graph.nodes().get(i) + ": " + thrown.getMessage(), thrown);
      }
    }
  }

  @Override
  public Graph graph() {
    return graph;
  }

  @Override
  public long activationBytes() {
    return activationBytes;
  }

  @Override
  public void close() {
    rope.close();
  }
}
