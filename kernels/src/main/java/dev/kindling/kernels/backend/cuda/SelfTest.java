package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.DType;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Launches every kernel once when a device is opened, and compares with the CPU: a wrong level of
 * indirection, a kernel of another build or a card that computes wrongly would otherwise train on
 * zeros without a word. Costs a fraction of a second and no memory that stays.
 */
final class SelfTest {
  /** Of the largest number of an output: far above rounding to bf16, far below being wrong. */
  private static final double TOLERANCE = 1.0 / 16;

  private static final int LAW = 23;

  /** Clocks of some cards tick only about once a millisecond. */
  private static final long REST_NANOS = 10_000_000;

  private SelfTest() {}

  /**
   * @param ordinal of the GPU, which is open already
   * @param notices hears what takes long
   * @return what was launched: kernels, and the products behind them
   * @throws DeviceException that names operation and kernels whose result is wrong
   */
  static Set<String> run(int ordinal, Consumer<String> notices) {
    Set<String> launched = new HashSet<>();
    try (CudaDevice device = new CudaDevice(ordinal);
        Engine engine = new Engine(device, false, notices)) {
      for (Precision precision : Precision.values()) {
        Graph graph = SelfTestGraph.of(precision, device.sharedBytes());
        compare(graph, onDevice(graph, precision, engine, launched), onCpu(graph), precision);
      }
      standStill(engine, launched);
      ContentHash.selfTest(engine, launched);
      FlightStream.selfTest(engine, launched);
    }
    return launched;
  }

  /** What a program shows: one array per OUTPUT variable, by name. */
  static Map<String, float[]> onCpu(Graph graph) {
    try (Backend cpu = Backend.cpu(new CpuOptions(1, MatmulKind.JAVA));
        Memory memory = cpu.allocate(graph.variables());
        Program program = cpu.compile(graph, memory, Map.of())) {
      fill(graph, memory);
      program.run();
      return outputs(graph, memory);
    }
  }

  private static Map<String, float[]> onDevice(
      Graph graph, Precision precision, Engine engine, Set<String> launched) {
    Layout layout = Layout.of(graph, precision, GroupRules.NONE);
    boolean bf16 = precision == Precision.BF16;
    RoleArenas arenas = RoleArenas.of(graph.variables(), List.of(graph), bf16);
    try (CudaMemory memory = new CudaMemory(engine, arenas)) {
      fill(graph, memory);
      memory.upload(Role.INPUT, 0).issue();
      memory.upload(Role.STEP, 0).issue();
      ElementCuda.refreshCopies(engine, memory).issue();
      long arena = memory.workspace(layout.activationBytes());
      Binding.Place place = new Binding.Place(layout, memory, engine, arena, Map.of());
      long scratchBytes = 0;
      for (Group group : layout.groups()) {
        Binding dry = Binding.dry(place, group);
        CudaKernels.bind(dry);
        scratchBytes = Math.max(scratchBytes, dry.scratchBytes());
      }
      long scratch = engine.scratch(scratchBytes);
      for (Group group : layout.groups()) {
        Binding binding = Binding.of(place, group, scratch);
        CudaKernels.bind(binding);
        binding.commands().forEach(Command::issue);
        // One by one, so that a kernel that breaks the context is named.
        engine.device().synchronize("self-test: " + binding.commands());
        binding.commands().forEach(command -> launched.add(command.toString()));
        Closing.all(binding.owned());
      }
      memory.download(Role.OUTPUT, 0).issue();
      engine.device().synchronize("self-test");
      return outputs(graph, memory);
    }
  }

  /** Between the marks lies a rest of the host, so both clocks must agree about it. */
  private static void standStill(Engine engine, Set<String> launched) {
    CudaDevice device = engine.device();
    long since = device.reserve(2 * Long.BYTES, "self-test");
    Command begin = ExposedWords.begin(engine::launch, since);
    Command end = ExposedWords.end(engine::launch, since, since + Long.BYTES);
    long start = System.nanoTime();
    begin.issue();
    device.synchronize("self-test: " + begin);
    long rest = System.nanoTime();
    while (System.nanoTime() - rest < REST_NANOS) {
      Thread.onSpinWait();
    }
    long rested = System.nanoTime() - rest;
    end.issue();
    device.synchronize("self-test: " + end);
    long all = System.nanoTime() - start;
    launched.addAll(List.of(begin.toString(), end.toString()));
    ByteBuffer words = ByteBuffer.allocateDirect(2 * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    Cuda.check(
        JCudaDriver.cuMemcpyDtoH(Pointer.to(words), Address.Device.at(since), words.capacity()),
        "cuMemcpyDtoH self-test");
    compareWait(words.getLong(Long.BYTES), rested, all);
  }

  /**
   * @param found by the device
   * @param least by the host, from behind the first mark to before the second
   * @param most by the host, from before the first mark to behind the second
   * @throws DeviceException if the device is off by more than half a rest
   */
  static void compareWait(long found, long least, long most) {
    long tolerance = REST_NANOS / 2;
    if (found < least - tolerance || found > most + tolerance) {
      throw new DeviceException(
          "cuda: self-test: exposed_end counts wrongly: expected %d to %d ns, found %d"
              .formatted(least, most, found));
    }
  }

  private static void fill(Graph graph, Memory memory) {
    int index = 0;
    for (Variable variable : graph.variables()) {
      index++;
      if (variable.role() == Role.OUTPUT || variable.role() == Role.WORKING) {
        continue;
      }
      Span span = memory.span(variable.name());
      for (int i = 0; i < variable.type().shape().elements(); i++) {
        if (variable.type().dtype() == DType.I32) {
          span.putInt(i, integer(variable.name(), i));
        } else {
          span.putFloat(i, number(variable, index, i));
        }
      }
      if (variable.role() != Role.INPUT && variable.role() != Role.STEP) {
        memory.publish(variable.name());
      }
    }
  }

  private static int integer(String name, int place) {
    return switch (name) {
      case "positions" -> place % 5;
      case "segments" -> place / 4;
      case "places" -> 2 * place;
      default -> place * 7 % 9;
    };
  }

  /** Sixteenths from 1 to 11, positive where a second moment or a count may be meant. */
  private static float number(Variable variable, int index, int place) {
    int step = Math.floorMod(index * 31 + place * 17 + place / LAW, LAW) - LAW / 2;
    boolean positive =
        variable.role() == Role.STATE
            || variable.role() == Role.NARROW_STATE
            || variable.role() == Role.STEP;
    return (positive ? Math.abs(step) + 1 : step) / 16f;
  }

  private static Map<String, float[]> outputs(Graph graph, Memory memory) {
    Map<String, float[]> outputs = new HashMap<>();
    for (Variable variable : graph.variables()) {
      if (variable.role() == Role.OUTPUT) {
        outputs.put(variable.name(), memory.span(variable.name()).toFloats());
      }
    }
    return outputs;
  }

  /**
   * @throws DeviceException if an output of the device is not about that of the CPU
   */
  static void compare(
      Graph graph, Map<String, float[]> found, Map<String, float[]> expected, Precision precision) {
    Map<Integer, Node> writers = new HashMap<>();
    for (Node node : graph.nodes()) {
      for (int i = 0; i < node.outputs().size(); i++) {
        writers.put(node.output(i).id(), node);
      }
    }
    for (Node node : graph.nodes()) {
      Variable shown = node.inputs().size() < 2 ? null : graph.contents().get(node.input(1).id());
      if (shown == null || shown.role() != Role.OUTPUT) {
        continue;
      }
      float[] right = expected.getOrDefault(shown.name(), new float[0]);
      float[] own = found.getOrDefault(shown.name(), new float[0]);
      double largest = 0;
      for (float number : right) {
        largest = Math.max(largest, Math.abs(number));
      }
      for (int i = 0; i < right.length; i++) {
        if (!(Math.abs(own[i] - right[i]) <= TOLERANCE * largest)) {
          Value source = node.input(0);
          throw new DeviceException(
              "cuda: self-test: the kernel of %s in %s computes wrongly: element %d of %s: expected %s, found %s"
                  .formatted(writers.get(source.id()), precision, i, source, right[i], own[i]));
        }
      }
    }
  }
}
