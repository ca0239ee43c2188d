package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;

/**
 * A graph bound to device memory. The first run captures every group; every run is then the copies
 * of the slot's inputs and step scalars, one launch, and the copy of the outputs.
 */
final class CudaProgram implements Program {
  private final Graph graph;
  private final Layout layout;
  private final Engine engine;
  private final CudaMemory memory;
  private final boolean captured;
  private final List<Command> commands = new ArrayList<>();
  private final List<List<Command>> uploads = new ArrayList<>();
  private final List<List<Command>> downloads = new ArrayList<>();
  private final List<Product> owned = new ArrayList<>();
  private final Command refreshCopies;
  private final CUgraph recorded = new CUgraph();
  private final CUgraphExec executable = new CUgraphExec();
  private boolean ready;

  CudaProgram(
      Graph graph,
      Layout layout,
      Engine engine,
      CudaMemory memory,
      Map<Axis, Communicator> communicators,
      boolean captured) {
    this.graph = graph;
    this.layout = layout;
    this.engine = engine;
    this.memory = memory;
    this.captured = captured;
    long arena = memory.workspace(layout.activationBytes());
    // Bound twice: the first pass only tells how much scratch the largest node wants.
    long scratchBytes = 0;
    Binding.Place place = new Binding.Place(layout, memory, engine, arena, communicators);
    for (Group group : layout.groups()) {
      Binding binding = Binding.dry(place, group);
      CudaKernels.bind(binding);
      scratchBytes = Math.max(scratchBytes, binding.scratchBytes());
    }
    long scratch = engine.scratch(scratchBytes);
    for (Group group : layout.groups()) {
      Binding binding = Binding.of(place, group, scratch);
      CudaKernels.bind(binding);
      commands.addAll(binding.commands());
      owned.addAll(binding.owned());
    }
    for (int slot = 0; slot < memory.slots(); slot++) {
      uploads.add(transfers(slot, List.of(Role.INPUT, Role.STEP), memory::upload));
      downloads.add(transfers(slot, List.of(Role.OUTPUT), memory::download));
    }
    refreshCopies = ElementCuda.refreshCopies(engine, memory);
  }

  private List<Command> transfers(
      int slot, List<Role> roles, BiFunction<Role, Integer, Command> transfer) {
    return roles.stream()
        .filter(role -> graph.variables().stream().anyMatch(v -> v.role() == role))
        .map(role -> transfer.apply(role, slot))
        .toList();
  }

  @Override
  public void run() {
    submit(0);
    engine.device().synchronize("program of " + graph.nodes().size() + " nodes");
  }

  @Override
  public void submit(int slot) {
    engine.device().makeCurrent();
    if (memory.takeStaleCopies()) {
      refreshCopies.issue();
    }
    if (captured && !ready) {
      capture();
    }
    issue(uploads.get(slot));
    if (captured) {
      check(JCudaDriver.cuGraphLaunch(executable, engine.device().stream()), "cuGraphLaunch");
    } else {
      issue(commands);
    }
    issue(downloads.get(slot));
    memory.submitted(slot);
  }

  private static void issue(List<Command> commands) {
    for (int i = 0; i < commands.size(); i++) {
      commands.get(i).issue();
    }
  }

  private void capture() {
    int mode = CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    check(JCudaDriver.cuStreamBeginCapture(engine.device().stream(), mode), "cuStreamBeginCapture");
    issue(commands);
    check(JCudaDriver.cuStreamEndCapture(engine.device().stream(), recorded), "cuStreamEndCapture");
    check(JCudaDriver.cuGraphInstantiate(executable, recorded, 0), "cuGraphInstantiate");
    ready = true;
  }

  /**
   * Every command with its median time in microseconds, in order, for benchmarks. Commands are
   * timed in whole passes, because some read what the one before them leaves behind.
   */
  List<Map.Entry<String, Float>> profile(int passes) {
    engine.device().makeCurrent();
    float[][] micros = new float[commands.size()][passes];
    try (EventTimer timer = new EventTimer(engine.device())) {
      for (int pass = 0; pass < passes; pass++) {
        for (int i = 0; i < micros.length; i++) {
          micros[i][pass] = timer.once(commands.get(i));
        }
      }
    }
    List<Map.Entry<String, Float>> times = new ArrayList<>();
    for (int i = 0; i < micros.length; i++) {
      Arrays.sort(micros[i]);
      times.add(Map.entry(commands.get(i).toString(), micros[i][passes / 2]));
    }
    return times;
  }

  @Override
  public Graph graph() {
    return graph;
  }

  @Override
  public long activationBytes() {
    return layout.activationBytes();
  }

  @Override
  public void close() {
    engine.device().makeCurrent();
    if (ready) {
      check(JCudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
      check(JCudaDriver.cuGraphDestroy(recorded), "cuGraphDestroy");
    }
    for (Product product : owned) {
      product.close();
    }
  }
}
