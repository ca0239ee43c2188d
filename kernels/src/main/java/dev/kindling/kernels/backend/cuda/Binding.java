package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.Communicator;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.cuda.layout.Element;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Stored;
import dev.kindling.kernels.graph.Axis;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Op;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * All that a kernel needs to bind one group of nodes: where the values lie, and where its commands
 * go. Groups are bound twice; the first, dry pass only asks for scratch memory.
 */
final class Binding {
  /** What the groups of a program share. */
  record Place(
      Layout layout,
      CudaMemory memory,
      Engine engine,
      long arena,
      Map<Axis, Communicator> communicators) {}

  private final Place place;
  private final Group group;
  private final boolean dry;
  private final long scratch;
  private final Address.Stream stream;
  private long scratchBytes;
  private final List<Command> commands = new ArrayList<>();
  private final List<Command> behind = new ArrayList<>();
  private @Nullable CollectiveCalls collective;
  private final List<Product> owned = new ArrayList<>();

  private Binding(Place place, Group group, boolean dry, long scratch, Address.Stream stream) {
    this.stream = stream;
    this.place = place;
    this.group = group;
    this.dry = dry;
    this.scratch = scratch;
  }

  static Binding dry(Place place, Group group) {
    return new Binding(place, group, true, 0, new Address.Stream());
  }

  static Binding of(Place place, Group group, long scratch) {
    return new Binding(place, group, false, scratch, place.engine().device().stream());
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
    return place.memory().copies() != 0;
  }

  Operand at(Value value) {
    Stored stored = place.layout().stored(value);
    Variable variable = place.layout().variableOf(value);
    long address =
        variable != null
            ? place.memory().address(variable)
            : place.arena() + place.layout().placeOf(value).offset();
    return new Operand(address, stored.element(), value.type().shape(), stored.rowStride());
  }

  /** The bf16 copy of a parameter where there is one, else the value itself. */
  Operand copyOf(Value value) {
    Variable variable = place.layout().variableOf(value);
    if (!bf16() || variable == null || variable.role() != Role.PARAMETER) {
      return at(value);
    }
    Operand master = at(value);
    return new Operand(
        place.memory().copyAddress(variable), Element.BF16, master.shape(), master.stride());
  }

  /** Device address of the bf16 copy of a value that lives in a parameter, 0 if there is none. */
  long copyAddress(Value value) {
    Variable variable = place.layout().variableOf(value);
    return bf16() && variable != null && variable.role() == Role.PARAMETER
        ? place.memory().copyAddress(variable)
        : 0;
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
    return dry ? 0 : place.memory().faults().word(what, place.layout().variableOf(numbers), rows);
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
    return place.engine();
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
    Launch launch = place.engine().launch(kernel, stream);
    command(launch);
    return launch;
  }

  void product(ProductShape shape, long a, long b, long d, long bias, long auxiliary) {
    if (!dry) {
      Product product = place.engine().blas().product(shape, a, b, d, bias, auxiliary);
      commands.add(product);
      owned.add(product);
    }
  }

  /** A launch of this kernel over every piece of the table; arguments may follow. */
  Launch launch(String kernel, TensorTable table) {
    long address = dry ? 0 : place.engine().device().reserve(table.bytes(), "tensor table");
    if (!dry) {
      table.publish(address);
    }
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
    Address.Device at = Address.Device.at(operand.address());
    long bytes = operand.elements() * operand.element().bytes();
    command(
        () ->
            check(
                JCudaDriver.cuMemsetD8Async(at, (byte) 0, bytes, stream),
                "cuMemsetD8Async " + bytes));
  }

  Address.Stream stream() {
    return stream;
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

  static <O extends Op> O op(Node node, Class<O> type) {
    return type.cast(node.op());
  }
}
