package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.function.IntSupplier;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/**
 * One block of device memory per role, a bf16 copy of the parameters, and the host's views: pinned
 * for the roles that travel with every run, one for each run in flight, made on first use for the
 * others. Working copies of weights are stored in bf16 themselves where the precision is bf16, and
 * have no view.
 */
final class CudaMemory implements Memory, Addresses {
  /** One run computes while the host fills the inputs of the next. */
  static final int SLOTS = 2;

  private final Engine engine;
  private final CudaDevice device;
  private final Map<Role, Long> arenas = new EnumMap<>(Role.class);
  private final RoleArenas declared;
  private final Map<String, Span> views = new HashMap<>();
  private final Map<Role, List<PinnedArena>> pinned = new EnumMap<>(Role.class);
  private final List<CUevent> ended = new ArrayList<>();
  private final List<IntSupplier> queries = new ArrayList<>();
  private final long[] handed = new long[SLOTS];

  /** Made once: awaiting a run leaves no garbage. */
  private final List<BiFunction<Variable, Integer, Integer>> inputs = new ArrayList<>();

  private final CopyLane copyLane;
  private final long copies;
  private final long codes;
  private final HostArena hosted;
  private final FaultWords faults;
  private final ExposedWords exposed;
  private long workspace;
  private long workspaceBytes;

  CudaMemory(Engine engine, RoleArenas declared) {
    this.engine = engine;
    this.device = engine.device();
    this.declared = declared;
    for (Role role : Role.values()) {
      arenas.put(role, device.reserve(declared.reservedBytes(role), role + " arena"));
    }
    faults = new FaultWords(arena(Role.OUTPUT, arenas) + bytes(Role.OUTPUT));
    faults.reset();
    exposed = new ExposedWords(arena(Role.OUTPUT, arenas) + bytes(Role.OUTPUT) + FaultWords.BYTES);
    copies = device.reserve(declared.copyBytes(), "bf16 copy of the parameters");
    codes = device.reserve(declared.codeBytes(), "parameters in codes");
    hosted = new HostArena(device, declared.hostBytes());
    for (Role role : RoleArenas.TRAVELLING) {
      List<PinnedArena> slots = new ArrayList<>();
      for (int slot = 0; slot < SLOTS; slot++) {
        slots.add(new PinnedArena(device, declared.reservedBytes(role)).zeroed());
      }
      pinned.put(role, slots);
    }
    copyLane = new CopyLane(device);
    for (PinnedArena outputs : slots(Role.OUTPUT)) {
      FaultWords.reset(outputs.span(), bytes(Role.OUTPUT));
    }
    for (int slot = 0; slot < SLOTS; slot++) {
      CUevent event = new CUevent();
      int flags = CUevent_flags.CU_EVENT_DISABLE_TIMING;
      check(JCudaDriver.cuEventCreate(event, flags), "cuEventCreate");
      ended.add(event);
      queries.add(() -> JCudaDriver.cuEventQuery(event));
      int own = slot;
      inputs.add((variable, place) -> input(variable, place, own));
    }
  }

  /** On which snapshots leave the device. */
  CopyLane copyLane() {
    return copyLane;
  }

  FaultWords faults() {
    return faults;
  }

  ExposedWords exposed() {
    return exposed;
  }

  /** Whether the host wants the outputs of a run even if it has none. */
  boolean watched() {
    return faults.watched() || exposed.watched();
  }

  @Override
  public long faultWord(String what, FaultWords.Numbers numbers, int rows) {
    return faults.word(what, numbers, rows);
  }

  long arenaAddress(Role role) {
    return arena(role, arenas);
  }

  @Override
  public long address(Variable variable) {
    return arena(variable.role(), arenas) + declared.offset(variable);
  }

  @Override
  public long copyAddress(Variable variable) {
    long arena = declared.isHosted(variable) ? hosted.address() : copies;
    return arena + declared.copyOffset(variable);
  }

  @Override
  public boolean hasCodes(Variable variable) {
    return declared.hasCodes(variable);
  }

  @Override
  public long codesAddress(Variable variable) {
    return codes + declared.codesOffset(variable);
  }

  @Override
  public boolean hasMaster(Variable variable) {
    return declared.hasMaster(variable);
  }

  /** The arenas' layout. */
  RoleArenas declared() {
    return declared;
  }

  @Override
  public boolean hasCopies() {
    return copies != 0;
  }

  private static long arena(Role role, Map<Role, Long> of) {
    return Objects.requireNonNull(of.get(role));
  }

  /** Activation memory; programs run one after the other, so the largest request serves all. */
  long workspace(long bytes) {
    if (bytes > workspaceBytes) {
      workspace = device.reserve(bytes, "activation arena");
      workspaceBytes = bytes;
    }
    return workspace;
  }

  /** Copies of whole roles that begin every run, of one slot. */
  Command upload(Role role, int slot) {
    return slots(role).get(slot).to(arena(role, arenas));
  }

  /** Copies of whole roles that end every run, of one slot. */
  Command download(Role role, int slot) {
    return slots(role).get(slot).from(arena(role, arenas));
  }

  private List<PinnedArena> slots(Role role) {
    List<PinnedArena> slots = pinned.get(role);
    if (slots == null) {
      throw new DeviceException("cuda: the host has no view of the whole " + role + " arena");
    }
    return slots;
  }

  /** Everything submitted so far belongs to the run of this slot, or to earlier ones. */
  void submitted(int slot) {
    check(JCudaDriver.cuEventRecord(ended.get(slot), device.stream()), "cuEventRecord");
    handed[slot] = device.peers().handed();
  }

  @Override
  public int slots() {
    return SLOTS;
  }

  @Override
  public void await(int slot) {
    device.makeCurrent();
    if (device.peers().isEmpty()) {
      check(JCudaDriver.cuEventSynchronize(ended.get(slot)), "a run");
    } else {
      device.peers().await(queries.get(slot), handed[slot], "a run");
    }
    Span outputs = slots(Role.OUTPUT).get(slot).span();
    exposed.tell(outputs, bytes(Role.OUTPUT) + FaultWords.BYTES);
    faults.check(outputs, bytes(Role.OUTPUT), inputs.get(slot));
  }

  /** The number at a place of an input of this slot. */
  private int input(Variable variable, int place, int slot) {
    return span(variable.name(), slot).getInt(place);
  }

  @Override
  public Span span(String variable, int slot) {
    Variable known = declared.known(variable);
    if (pinned.containsKey(known.role())) {
      Span arena = slots(known.role()).get(slot).span();
      return arena.slice(declared.offset(known), known.type().bytes());
    }
    return views.computeIfAbsent(variable, name -> Span.allocate(known.type().bytes()));
  }

  @Override
  public Span arena(Role role, int slot) {
    Span whole = slots(role).get(slot).span();
    return role == Role.OUTPUT ? whole.slice(0, bytes(role)) : whole;
  }

  @Override
  public Snapshot snapshot(List<String> copied) {
    List<CudaSnapshot.Source> sources = new ArrayList<>();
    copied.forEach(variable -> sources.add(source(variable)));
    sources.sort(Comparator.comparingLong(CudaSnapshot.Source::address));
    return new CudaSnapshot(device, copyLane, sources);
  }

  private CudaSnapshot.Source source(String variable) {
    Variable known = hostView(variable);
    if (pinned.containsKey(known.role())) {
      throw new DeviceException("cuda: " + variable + " travels with every run");
    }
    return stored(known);
  }

  private CudaSnapshot.Source stored(Variable known) {
    String name = known.name();
    if (hasCodes(known)) {
      long bytes = Int8Grid.bytes(known.type().shape().elements());
      return new CudaSnapshot.Source(name, codesAddress(known), bytes, HostForm.CODES);
    }
    long bytes = known.type().bytes();
    if (hasMaster(known) && declared.narrowing(known.role()) == 1) {
      return new CudaSnapshot.Source(name, address(known), bytes, HostForm.PLAIN);
    }
    long narrow = hasMaster(known) ? address(known) : copyAddress(known);
    return new CudaSnapshot.Source(name, narrow, bytes / 2, HostForm.BF16);
  }

  @Override
  public long[] hashes(List<String> variables) {
    List<ContentHash.Run> runs = new ArrayList<>();
    for (String variable : variables) {
      CudaSnapshot.Source source = source(variable);
      // The padding behind an odd number of bf16 words is zero.
      runs.add(new ContentHash.Run(source.address(), (source.bytes() + 3) / 4 * 4));
    }
    return ContentHash.of(engine, runs);
  }

  @Override
  public void fetch(String variable) {
    copy(variable, true);
  }

  @Override
  public void publish(String variable) {
    device.makeCurrent();
    copyLane.settle();
    copy(variable, false);
    noteStale(variable);
  }

  @Override
  public void publish(String variable, long from, Span source) {
    device.makeCurrent();
    copyLane.settle();
    HostCopy.publish(stored(inside(variable, from, source)), from, source);
    noteStale(variable);
  }

  private void noteStale(String variable) {
    Variable known = declared.known(variable);
    staleCopies |= known.role() == Role.PARAMETER && copies != 0 && !hasCodes(known);
  }

  @Override
  public void release(String variable) {
    Span view = views.remove(variable);
    if (view != null) {
      view.close();
    }
  }

  @Override
  public void fetch(String variable, long from, Span target) {
    HostCopy.fetch(stored(inside(variable, from, target)), from, target);
  }

  /** The variable, readied, of which a run is to be copied. */
  private Variable inside(String variable, long from, Span run) {
    Variable known = readied(variable);
    if (from < 0 || from + run.bytes() > known.type().bytes()) {
      throw new DeviceException(
          "cuda: "
              + variable
              + ": expected a run inside it, found byte "
              + from
              + " and "
              + run.bytes()
              + " more");
    }
    return known;
  }

  private void copy(String variable, boolean toHost) {
    CudaSnapshot.Source stored = stored(readied(variable));
    if (toHost) {
      HostCopy.fetch(stored, 0, span(variable));
    } else {
      HostCopy.publish(stored, 0, span(variable));
    }
  }

  /** The variable, when nothing that was submitted can still write it. */
  private Variable readied(String variable) {
    Variable known = hostView(variable);
    device.makeCurrent();
    device.synchronize("before copying " + variable);
    return known;
  }

  private Variable hostView(String variable) {
    Variable known = declared.known(variable);
    if (known.role() == Role.WORKING) {
      throw new DeviceException("cuda: the host has no view of the working copy " + variable);
    }
    return known;
  }

  private boolean staleCopies = true;

  /** Whether the bf16 copies must be made again; asking clears the mark. */
  boolean takeStaleCopies() {
    boolean stale = staleCopies && copies != 0;
    staleCopies = false;
    return stale;
  }

  long copies() {
    return copies;
  }

  @Override
  public void clear(Role role) {
    device.makeCurrent();
    copyLane.settle();
    device.zero(arena(role, arenas), bytes(role), role.name());
    if (role == Role.PARAMETER) {
      device.zero(codes, declared.codeBytes(), "codes");
      hosted.clear();
      device.zero(copies, declared.copyBytes(), "copies");
      staleCopies = staleCopies || copies != 0;
    }
  }

  @Override
  public long bytes(Role role) {
    return declared.bytes(role);
  }

  @Override
  public void close() {
    if (device.peers().givenUp()) {
      return;
    }
    device.makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>();
    parts.add(hosted);
    pinned.values().forEach(parts::addAll);
    for (CUevent event : ended) {
      parts.add(() -> check(JCudaDriver.cuEventDestroy(event), "cuEventDestroy"));
    }
    parts.add(copyLane);
    parts.addAll(views.values());
    Closing.all(parts);
  }
}
