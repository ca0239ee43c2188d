package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.CollectiveException;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.InputException;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.op.Op;
import java.util.Map;

/** A graph whose nodes are bound; running it is one loop over runnables. */
final class CpuProgram implements Program {
  private final Graph graph;
  private final Engine engine;
  private final Runnable[] nodes;
  private final RopeCpu rope = new RopeCpu();
  private final Map<Class<? extends Op>, CpuKernel> table = CpuKernels.table(rope);
  private int boundAfterMoves;
  private boolean closed;

  CpuProgram(Graph graph, Engine engine) {
    this.graph = graph;
    this.engine = engine;
    nodes = new Runnable[graph.nodes().size()];
    bind();
  }

  /** Again from the start when a node's request made the block move that nodes before it share. */
  private void bind() {
    do {
      boundAfterMoves = engine.memory().moves();
      bindNodes();
    } while (boundAfterMoves != engine.memory().moves());
  }

  private void bindNodes() {
    for (Node node : graph.nodes()) {
      CpuKernel kernel = table.get(node.op().getClass());
      if (kernel == null) {
        throw new DeviceException("cpu: no kernel for " + node.op());
      }
      nodes[node.index()] = kernel.bind(new Binding(node, engine));
    }
  }

  @Override
  public void submit(int slot) {
    engine.memory().await(slot);
    run();
  }

  @Override
  public void run() {
    if (closed) {
      throw new IllegalStateException("this program is closed");
    }
    engine.memory().checkOpen();
    engine.workers().checkOpen();
    if (boundAfterMoves != engine.memory().moves()) {
      bind();
    }
    for (int i = 0; i < nodes.length; i++) {
      try {
        nodes[i].run();
      } catch (CollectiveException | DeviceException | InputException named) {
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
    return engine.plan().totalBytes();
  }

  @Override
  public void close() {
    closed = true;
    rope.close();
  }
}
