package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.Program;
import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Value;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.op.Embedding;
import dev.kindling.kernels.graph.op.EmbeddingGradient;
import dev.kindling.kernels.graph.op.Linear;
import dev.kindling.kernels.graph.op.LinearInputGradient;
import dev.kindling.kernels.graph.op.LinearWeightGradient;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Where the time of a program on the GPU goes: the door of the CUDA backend for benchmarks. */
public final class ProgramProfile {
  /** All of one kind of work in one run. */
  public static final class Line {
    private final String work;
    private final Set<String> kernels = new LinkedHashSet<>();
    private int count;
    private double micros;
    private long flops;
    private long bytes;

    private Line(String work) {
      this.work = work;
    }

    /** Operations, and the sizes of products. */
    public String work() {
      return work;
    }

    public Set<String> kernels() {
      return Set.copyOf(kernels);
    }

    /** Groups of this kind. */
    public int count() {
      return count;
    }

    public double micros() {
      return micros;
    }

    /** Floating point operations of products and attention; 0 for what only moves memory. */
    public long flops() {
      return flops;
    }

    /** Bytes read and written once each, as they are stored. */
    public long bytes() {
      return bytes;
    }
  }

  private ProgramProfile() {}

  /**
   * Times every command by itself, in whole passes: weights and state move on.
   *
   * @param program of a {@link CudaBackend}
   * @param passes of which the median counts
   * @return longest first
   */
  public static List<Line> of(Program program, int passes) {
    CudaProgram own = cuda(program);
    Map<String, Line> lines = new LinkedHashMap<>();
    Set<Group> seen = new HashSet<>();
    for (CudaProgram.Timed timed : own.profile(passes)) {
      Group group = timed.group();
      String work = group == null ? timed.command().toString() : work(group);
      Line line = lines.computeIfAbsent(work, Line::new);
      line.kernels.add(kernel(timed.command()));
      line.micros += timed.micros();
      if (group == null) {
        line.count++;
      } else if (seen.add(group)) {
        line.count++;
        line.flops += group.nodes().stream().mapToLong(Node::flops).sum();
        line.bytes += bytes(group, own.layout(), own.narrowCopies());
      }
    }
    List<Line> sorted = new ArrayList<>(lines.values());
    sorted.sort((a, b) -> Double.compare(b.micros, a.micros));
    return sorted;
  }

  private static CudaProgram cuda(Program program) {
    if (program instanceof CudaProgram own) {
      return own;
    }
    throw new IllegalArgumentException("expected a program of the CUDA backend, found " + program);
  }

  /** Calls into the driver and its libraries so far, by this process. */
  public static long nativeCalls() {
    return Cuda.calls();
  }

  private static String kernel(Command command) {
    String text = command.toString();
    if (!text.startsWith("kernel ")) {
      int end = text.indexOf(' ');
      return end < 0 ? text : text.substring(0, end);
    }
    return text.substring("kernel ".length(), text.indexOf("<<<"));
  }

  private static String work(Group group) {
    Set<String> ops = new TreeSet<>();
    group.nodes().forEach(node -> ops.add(node.op().getClass().getSimpleName()));
    Node first = group.nodes().get(0);
    boolean product =
        first.op() instanceof Linear
            || first.op() instanceof LinearInputGradient
            || first.op() instanceof LinearWeightGradient;
    String name = String.join("+", ops);
    return product ? name + sizes(group) : name;
  }

  /** Tokens, then columns that go in and come out, of all products of the group together. */
  private static String sizes(Group group) {
    Node first = group.nodes().get(0);
    int in = 0;
    int out = 0;
    for (Node node : group.nodes()) {
      int columns = node.input(0).type().shape().dim(1);
      if (node.op() instanceof Linear) {
        in = columns;
        out += node.output(0).shape().dim(1);
      } else if (node.op() instanceof LinearInputGradient) {
        in += columns;
        out = node.output(0).shape().dim(1);
      } else if (node.op() instanceof LinearWeightGradient) {
        in = columns;
        out += node.input(1).type().shape().dim(1);
      }
    }
    return " " + first.input(0).type().shape().dim(0) + "x" + in + "x" + out;
  }

  /** What enters and leaves a group; what stays inside costs nothing. */
  private static long bytes(Group group, Layout layout, boolean narrowCopies) {
    Set<Integer> written = new HashSet<>();
    Set<Integer> read = new HashSet<>();
    long bytes = 0;
    for (Node node : group.nodes()) {
      for (Value output : node.outputs()) {
        written.add(output.id());
        bytes += layout.isStored(output) ? stored(output, layout) : 0;
      }
    }
    for (Node node : group.nodes()) {
      for (int i = 0; i < node.inputs().size(); i++) {
        Value input = node.input(i);
        if (!written.contains(input.id()) && read.add(input.id())) {
          bytes += input(node, i, layout, narrowCopies);
        }
      }
      Variable changed = node.op().alias(0) == 0 ? layout.variableOf(node.input(0)) : null;
      boolean updates = changed != null && changed.role() == Role.PARAMETER;
      bytes += updates && narrowCopies ? 2 * node.input(0).type().shape().elements() : 0;
    }
    return bytes;
  }

  private static long input(Node node, int index, Layout layout, boolean narrowCopies) {
    Value input = node.input(index);
    long bytes = stored(input, layout);
    if (node.op() instanceof Embedding && index == 0) {
      return Math.min(bytes, stored(node.output(0), layout));
    }
    if (node.op() instanceof EmbeddingGradient && index == 2) {
      int element = layout.stored(input).element().bytes();
      return Math.min(bytes, element * node.input(0).type().shape().elements());
    }
    Variable variable = layout.variableOf(input);
    boolean copy = narrowCopies && variable != null && variable.role() == Role.PARAMETER;
    boolean product = node.op() instanceof Linear || node.op() instanceof LinearInputGradient;
    return copy && product ? bytes / 2 : bytes;
  }

  private static long stored(Value value, Layout layout) {
    return value.type().shape().elements() * layout.stored(value).element().bytes();
  }
}
