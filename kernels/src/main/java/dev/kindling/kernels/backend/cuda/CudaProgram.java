package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceCommunicator;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Timetable;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.memory.Closing;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstreamCaptureMode;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * A graph bound to device memory. The first run captures every group; every run is then the copies
 * of the slot's inputs and step scalars, one launch, and the copy of the outputs. Collectives run
 * on the communication lane. A program that holds some is captured by its second run.
 */
final class CudaProgram implements Program {
  /** Roles whose content outlives a step. */
  private static final Set<Role> STATE =
      Set.of(Role.PARAMETER, Role.SHARD, Role.STATE, Role.NARROW_STATE, Role.PAYLOAD);

  private final Graph graph;
  private final Layout layout;
  private final Engine engine;
  private final CudaMemory memory;
  private final boolean captured;
  private final List<Command> commands = new ArrayList<>();
  private final List<List<Command>> uploads = new ArrayList<>();
  private final List<List<Command>> downloads = new ArrayList<>();
  private final List<Product> owned = new ArrayList<>();
  private final Map<Command, Group> origins = new IdentityHashMap<>();
  private final Map<DeviceCommunicator, Long> sentBytes = new LinkedHashMap<>();
  private final Lane lane;
  private final String name;
  private final Command refreshCopies;
  private final BiConsumer<DeviceCommunicator, Long> announce;
  private Address.Graph recorded = new Address.Graph();
  private final CUgraphExec executable = new CUgraphExec();
  private boolean ready;
  private boolean warm;
  private boolean capturing;
  private boolean guarded;

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
    lane = new Lane(engine, memory.exposed());
    name = "program of " + graph.nodes().size() + " nodes";
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
    layout.timetable().entries().forEach(entry -> add(entry, place, scratch));
    for (int slot = 0; slot < memory.slots(); slot++) {
      uploads.add(transfers(slot, List.of(Role.INPUT, Role.STEP), memory::upload));
      downloads.add(transfers(slot, List.of(Role.OUTPUT), memory::download));
    }
    Peers peers = engine.device().peers();
    announce = (communicator, bytes) -> peers.submit(communicator, name, bytes);
    refreshCopies = ElementCuda.refreshCopies(engine, memory);
  }

  private void add(Timetable.Entry entry, Binding.Place place, long scratch) {
    List<Group> groups = layout.groups().subList(entry.first(), entry.last() + 1);
    if (!guarded
        && entry.what() != Timetable.What.JOIN
        && groups.stream().anyMatch(this::writesState)) {
      guarded = true;
      commands.add(memory.copyLane().barrier(() -> capturing));
    }
    switch (entry.what()) {
      case JOIN -> {
        if (lane.has(entry.last())) {
          commands.add(lane.join(entry.last()));
        }
      }
      case RUN ->
          groups.forEach(group -> commands.addAll(bound(Binding.of(place, group, scratch))));
      case ISSUE -> {
        if (Timetable.isUpload(groups.get(0))) {
          upload(groups.get(0), place, entry.last());
        } else if (CollectiveCuda.meets(groups.get(0).last(), place.communicators())) {
          depart(groups, place, entry.last());
        } else {
          groups.forEach(group -> commands.addAll(bound(Binding.of(place, group, scratch))));
        }
      }
    }
  }

  /** Whether it writes over what a snapshot may still be copying. */
  private boolean writesState(Group group) {
    return group.kind() != Group.Kind.VIEW
        && group.nodes().stream()
            .flatMap(node -> node.outputs().stream())
            .filter(layout::isStored)
            .map(layout::variableOf)
            .anyMatch(variable -> variable != null && STATE.contains(variable.role()));
  }

  private List<Command> bound(Binding binding) {
    CudaKernels.bind(binding);
    owned.addAll(binding.owned());
    binding.commands().forEach(command -> origins.put(command, binding.group()));
    return binding.commands();
  }

  /** Copies a weight on the lane, behind all that read what its place held before. */
  private void upload(Group group, Binding.Place place, int last) {
    commands.add(lane.fork());
    commands.addAll(bound(Binding.onLane(place, group, lane.stream())));
    commands.add(lane.land(last, null));
  }

  /** Puts collectives that start together on the lane. */
  private void depart(List<Group> groups, Binding.Place place, int last) {
    List<Command> behind = new ArrayList<>();
    List<CollectiveCalls> members = new ArrayList<>();
    commands.add(lane.fork());
    for (Group group : groups) {
      Binding binding = Binding.onLane(place, group, lane.stream());
      commands.addAll(bound(binding));
      binding.collective().ifPresent(members::add);
      behind.addAll(binding.behind());
      if (binding.scratchBytes() > 0) {
        throw new IllegalStateException(group + ": scratch belongs to the main stream");
      }
    }
    Convoy convoy = new Convoy(members.get(0).communicator(), members);
    commands.add(convoy);
    commands.addAll(behind);
    commands.add(lane.land(last, convoy.communicator()));
    sentBytes.merge(convoy.communicator(), convoy.sentBytes(), Long::sum);
    engine.device().peers().meet(convoy.communicator());
  }

  private List<Command> transfers(
      int slot, List<Role> roles, BiFunction<Role, Integer, Command> transfer) {
    return roles.stream().filter(this::travels).map(role -> transfer.apply(role, slot)).toList();
  }

  private boolean travels(Role role) {
    return graph.variables().stream().anyMatch(v -> v.role() == role)
        || (role == Role.OUTPUT && memory.watched());
  }

  @Override
  public void run() {
    submit(0);
    engine.device().synchronize(name);
    memory.await(0);
  }

  @Override
  public void submit(int slot) {
    engine.device().makeCurrent();
    if (memory.takeStaleCopies()) {
      refreshCopies.issue();
    }
    // Libraries of collectives connect and allocate at their first call, which belongs outside.
    if (captured && !ready && (warm || sentBytes.isEmpty())) {
      capture();
    }
    sentBytes.forEach(announce);
    issue(uploads.get(slot));
    if (ready) {
      check(JCudaDriver.cuGraphLaunch(executable, engine.device().stream()), "cuGraphLaunch");
    } else {
      issue(commands);
      warm = true;
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
    Address.Stream stream = engine.device().stream();
    int mode = CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    check(JCudaDriver.cuStreamBeginCapture(stream, mode), "cuStreamBeginCapture");
    boolean open = true;
    capturing = true;
    try {
      issue(commands);
      open = false;
      check(JCudaDriver.cuStreamEndCapture(stream, recorded), "cuStreamEndCapture");
      check(JCudaDriver.cuGraphInstantiate(executable, recorded, 0), "cuGraphInstantiate");
      ready = true;
    } catch (RuntimeException | Error failure) {
      if (open) {
        // Whatever became of the others: the stream must not stay in capture.
        JCudaDriver.cuStreamEndCapture(stream, recorded);
      }
      Closing.after(failure, this::forget);
      throw failure;
    } finally {
      capturing = false;
    }
  }

  /** NCCL's destroy and abort never return while a graph that holds its calls lives. */
  private void forget() {
    Address.Graph graph = recorded;
    recorded = new Address.Graph();
    if (graph.made()) {
      check(JCudaDriver.cuGraphDestroy(graph), "cuGraphDestroy");
    }
  }

  /**
   * @param group that the command belongs to, null for what orders streams
   */
  record Timed(Command command, @Nullable Group group, float micros) {}

  Layout layout() {
    return layout;
  }

  /** Whether products read bf16 copies of the parameters. */
  boolean narrowCopies() {
    return memory.copies() != 0;
  }

  /**
   * Every command with its median time in microseconds, in order, for benchmarks. Commands are
   * timed in whole passes, because some read what the one before them leaves behind.
   */
  List<Timed> profile(int passes) {
    engine.device().makeCurrent();
    float[][] micros = new float[commands.size()][passes];
    try (EventTimer timer = new EventTimer(engine.device())) {
      for (int pass = 0; pass < passes; pass++) {
        for (int i = 0; i < micros.length; i++) {
          micros[i][pass] = timer.once(commands.get(i));
        }
      }
    }
    List<Timed> times = new ArrayList<>();
    for (int i = 0; i < micros.length; i++) {
      Arrays.sort(micros[i]);
      Command command = commands.get(i);
      times.add(new Timed(command, origins.get(command), micros[i][passes / 2]));
    }
    return times;
  }

  /** In the order of this device, which is also that of the calls that ranks must agree on. */
  @Override
  public Graph graph() {
    return layout.graph();
  }

  @Override
  public long activationBytes() {
    return layout.activationBytes();
  }

  @Override
  public void close() {
    engine.device().makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>();
    if (ready) {
      ready = false;
      parts.add(() -> check(JCudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy"));
    }
    parts.add(this::forget);
    parts.addAll(owned);
    parts.add(lane);
    Closing.all(parts);
  }
}
