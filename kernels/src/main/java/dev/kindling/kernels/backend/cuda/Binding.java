package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Stored;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.RopeFrequencies;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.SliceRows;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * All that a kernel needs to bind one group of nodes: where the values lie, and where its commands
 * go. Groups are bound twice; the first, dry pass touches no device and only tells how much memory
 * the second one will want.
 */
final class Binding {
  /**
   * What the groups of a program share.
   *
   * @param engine null where no device is at hand: then every binding is dry and meets no rank
   */
  record Place(
      Layout layout,
      Addresses variables,
      @Nullable Engine engine,
      int multiprocessors,
      long arena,
      Map<Axis, Communicator> communicators) {
    Place(
        Layout layout,
        CudaMemory memory,
        Engine engine,
        long arena,
        Map<Axis, Communicator> communicators) {
      this(layout, memory, engine, engine.multiprocessors(), arena, communicators);
    }
  }

  private final Place place;
  private final Group group;
  private final boolean dry;
  private final long scratch;
  private final Address.@Nullable Stream stream;
  private long scratchBytes;
  private long constantBytes;
  private final Set<RopeTable> ropeTables = new HashSet<>();
  private final List<Command> commands = new ArrayList<>();
  private final List<Command> behind = new ArrayList<>();
  private @Nullable CollectiveCalls collective;
  private final List<Product> owned = new ArrayList<>();
  private final List<Asked> asked = new ArrayList<>();

  private Binding(
      Place place, Group group, boolean dry, long scratch, Address.@Nullable Stream stream) {
    this.stream = stream;
    this.place = place;
    this.group = group;
    this.dry = dry;
    this.scratch = scratch;
  }

  static Binding dry(Place place, Group group) {
    return new Binding(place, group, true, 0, null);
  }

  static Binding of(Place place, Group group, long scratch) {
    return new Binding(place, group, false, scratch, stream(place));
  }

  private static Address.Stream stream(Place place) {
    return java.util.Objects.requireNonNull(place.engine()).device().stream();
  }

  /** On the communication lane, where there is no scratch: another group may be using it. */
  static Binding onLane(Place place, Group group, Address.Stream lane) {
    return new Binding(place, group, false, 0, lane);
  }

  Group group() {
    return group;
  }

  /** The group's nodes from the leftmost column of their packed matrix to the rightmost. */
  List<Node> byColumns() {
    return place.layout().byColumns(group);
  }

  boolean isStored(Value value) {
    return place.layout().isStored(value);
  }

  boolean bf16() {
    return place.variables().hasCopies();
  }

  Operand at(Value value) {
    Stored stored = place.layout().stored(value);
    Variable variable = place.layout().variableOf(value);
    long address =
        variable != null
            ? place.variables().address(variable)
            : place.arena() + place.layout().placeOf(value).offset();
    return new Operand(address, stored.element(), value.type().shape(), stored.rowStride());
  }

  /**
   * The bf16 copy of a parameter where there is one, else the value itself. What is stored in codes
   * is decoded first, into scratch memory of this group.
   */
  Operand copyOf(Value value) {
    if (hasCodes(value)) {
      return Int8Cuda.decoded(this, List.of(value));
    }
    Variable variable = place.layout().variableOf(value);
    if (!bf16() || variable == null || variable.role() != Role.PARAMETER) {
      return at(value);
    }
    int stride = place.layout().stored(value).rowStride();
    long copy = place.variables().copyAddress(variable);
    return new Operand(copy, Element.BF16, value.type().shape(), stride);
  }

  /** Device address of the bf16 copy of a value that lives in a parameter, 0 if there is none. */
  long copyAddress(Value value) {
    Variable variable = place.layout().variableOf(value);
    return bf16() && variable != null && variable.role() == Role.PARAMETER
        ? place.variables().copyAddress(variable)
        : 0;
  }

  /** Whether the value lives in a parameter that is stored in codes of 8 bits. */
  boolean hasCodes(Value value) {
    Variable variable = place.layout().variableOf(value);
    return variable != null && place.variables().hasCodes(variable);
  }

  /** Device address of the codes of such a value. */
  long codesAddress(Value value) {
    Variable variable = java.util.Objects.requireNonNull(place.layout().variableOf(value));
    return place.variables().codesAddress(variable);
  }

  /** Whether the value lives in a parameter that has no fp32 master. */
  boolean isBf16Alone(Value value) {
    Variable variable = place.layout().variableOf(value);
    return variable != null && !place.variables().hasMaster(variable);
  }

  /** Whether the value lives in a variable of which there is an fp32 master. */
  boolean hasMaster(Value value) {
    Variable variable = place.layout().variableOf(value);
    return variable != null && place.variables().hasMaster(variable);
  }

  Operand in(Node node, int index) {
    return at(node.input(index));
  }

  Operand out(Node node, int index) {
    return at(node.output(index));
  }

  /**
   * Device word that a kernel lowers to the first place whose number lies outside its table.
   *
   * @param what the numbers are, up to the place
   */
  long fault(String what, Value numbers, int rows) {
    return place.variables().faultWord(what, numbers(numbers), rows);
  }

  /** Rows of a variable are told by their place in it. */
  private FaultWords.Numbers numbers(Value value) {
    for (Node node : place.layout().graph().nodes()) {
      if (node.op() instanceof SliceRows slice && node.output(0).equals(value)) {
        return new FaultWords.Numbers(place.layout().variableOf(node.input(0)), slice.from());
      }
    }
    return new FaultWords.Numbers(place.layout().variableOf(value), 0);
  }

  /** Address of memory that nobody keeps anything in between two groups; one request per group. */
  long scratch(long bytes) {
    if (scratchBytes != 0) {
      throw new IllegalStateException(group + ": asks for scratch a second time");
    }
    scratchBytes = bytes;
    return scratch;
  }

  long scratchBytes() {
    return scratchBytes;
  }

  boolean dry() {
    return dry;
  }

  Engine engine() {
    if (place.engine() == null) {
      throw new IllegalStateException(group + ": a dry binding has no device");
    }
    return place.engine();
  }

  int multiprocessors() {
    return place.multiprocessors();
  }

  /** Lets the kernel use this much dynamic shared memory. */
  void allowShared(String kernel, int bytes) {
    if (!dry) {
      engine().kernels().allowShared(kernel, bytes);
    }
  }

  /** Address of the angles of this kind; 0 in a dry binding. */
  long ropeTable(int headDim, RopeFrequencies frequencies, int rows) {
    RopeTable table = new RopeTable(headDim, frequencies, rows);
    ropeTables.add(table);
    return dry ? 0 : engine().ropeTable(table);
  }

  /** Address of this content, which stays as it is; 0 in a dry binding. */
  long constant(ByteBuffer content, String what) {
    constantBytes += content.remaining();
    return dry ? 0 : engine().device().store(content, what);
  }

  /** Bytes of all constants. */
  long constantBytes() {
    return constantBytes;
  }

  Set<RopeTable> ropeTables() {
    return Set.copyOf(ropeTables);
  }

  Communicator communicator(Axis axis) {
    Communicator communicator = place.communicators().get(axis);
    if (communicator == null) {
      throw new DeviceException("cuda: no communicator for axis " + axis + " in " + group);
    }
    return communicator;
  }

  /** A kernel to be launched here; the caller adds grid and arguments. */
  Launch launch(String kernel) {
    Launch launch = dry ? new Launch(kernel, null) : engine().launch(kernel, stream());
    command(launch);
    return launch;
  }

  void product(ProductShape shape, long a, long b, long d, long bias, long auxiliary) {
    product(ProductBatch.one(shape), a, b, d, bias, auxiliary);
  }

  /** The addresses are those of the first product. */
  void product(ProductBatch batch, long a, long b, long d, long bias, long auxiliary) {
    asked.add(new Asked(batch, a, b, d));
    if (!dry) {
      Product product = engine().blas().product(batch, a, b, d, bias, auxiliary);
      command(product);
      owned.add(product);
    }
  }

  /** A launch of this kernel over every piece of the table; arguments may follow. */
  Launch launch(String kernel, TensorTable table) {
    long address = constant(table.content(), "tensor table");
    return launch(kernel)
        .grid(table.pieces(), TensorTable.PIECE_THREADS)
        .at(address, table.piecesAt(address));
  }

  void command(Command command) {
    (collective == null ? commands : behind).add(command);
  }

  /** The calls of a node that meets other ranks; what is launched after it stands behind them. */
  void collective(CollectiveCalls calls) {
    collective = calls;
  }

  /** Zeroes a dense operand. */
  void zero(Operand operand) {
    long bytes = operand.elements() * operand.element().bytes();
    command(engine().zero(operand.address(), bytes, stream()));
  }

  /** Copies a dense operand to one of the same type, from the host or the device. */
  void copy(Operand from, Operand to) {
    long bytes = to.elements() * to.element().bytes();
    command(engine().copy(from.address(), to.address(), bytes, stream()));
  }

  /** Where the commands go; a dry binding has none. */
  Address.Stream stream() {
    return java.util.Objects.requireNonNull(stream);
  }

  /** Of a node that meets other ranks: those before its calls. */
  List<Command> commands() {
    return List.copyOf(commands);
  }

  /** Those behind the calls of a node that meets other ranks. */
  List<Command> behind() {
    return List.copyOf(behind);
  }

  Optional<CollectiveCalls> collective() {
    return Optional.ofNullable(collective);
  }

  List<Product> owned() {
    return List.copyOf(owned);
  }

  /** Products and the addresses of their first matrices, which a dry binding asks for too. */
  record Asked(ProductBatch batch, long a, long b, long d) {}

  List<Asked> asked() {
    return List.copyOf(asked);
  }

  static <O extends Op> O op(Node node, Class<O> type) {
    return type.cast(node.op());
  }
}
