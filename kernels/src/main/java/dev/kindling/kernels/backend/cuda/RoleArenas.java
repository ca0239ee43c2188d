package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Node;
import dev.kindling.kernels.graph.Param;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.graph.Whole;
import dev.kindling.kernels.graph.op.AdamW;
import dev.kindling.kernels.graph.op.Mezo;
import dev.kindling.kernels.graph.op.Op;
import dev.kindling.kernels.graph.op.QuantizedAdamW;
import dev.kindling.kernels.graph.op.ScaledUpdate;
import dev.kindling.kernels.graph.op.Upload;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Offsets of variables: one arena per role, in declaration order. Parameters in codes of 8 bits
 * have an arena of their own. Working copies of weights and gradients that are written once are
 * stored in bf16 themselves where the precision is bf16.
 */
final class RoleArenas {
  /** What a matrix product wants of an operand, and twice Span.ALIGNMENT. */
  static final int ALIGNMENT = 128;

  /** Roles that travel between host and device with every run. */
  static final List<Role> TRAVELLING = List.of(Role.INPUT, Role.STEP, Role.OUTPUT);

  private final Map<Role, Long> sizes = new EnumMap<>(Role.class);
  private final Map<String, Variable> variables = new HashMap<>();
  private final Map<String, Long> offsets = new HashMap<>();
  private final Map<String, Long> copies = new LinkedHashMap<>();
  private final Map<String, Long> codes = new LinkedHashMap<>();
  private final boolean bf16;
  private final Map<String, Long> hosted = new HashMap<>();
  private long copyBytes;
  private long codeBytes;
  private long hostBytes;

  /**
   * Every parameter has an fp32 master.
   *
   * @param bf16 whether the precision is bf16, so that parameters have copies
   */
  RoleArenas(List<Variable> declared, boolean bf16) {
    this(declared, bf16, Set.of(), Set.of(), Set.of());
  }

  /**
   * @param bf16Only parameters without an fp32 master
   * @param coded parameters in codes of 8 bits, with neither master nor copy
   * @param uploaded parameters that products read through copies: those without a master lie in
   *     memory of the host
   */
  RoleArenas(
      List<Variable> declared,
      boolean bf16,
      Set<Variable> bf16Only,
      Set<Variable> coded,
      Set<Variable> uploaded) {
    this.bf16 = bf16;
    for (Variable variable : declared) {
      if (variables.put(variable.name(), variable) != null) {
        throw new PlanException("variable " + variable.name() + " declared twice");
      }
      if (coded.contains(variable)) {
        codes.put(variable.name(), codeBytes);
        codeBytes += aligned(Int8Grid.bytes(variable.type().shape().elements()));
        continue;
      }
      long bytes = Span.aligned(variable.type().bytes());
      if (bf16Only.contains(variable) && uploaded.contains(variable)) {
        hosted.put(variable.name(), hostBytes);
        hostBytes += bytes / 2;
      } else if (variable.role() == Role.PARAMETER && bf16) {
        copies.put(variable.name(), copyBytes);
        copyBytes += bytes / 2;
      }
      if (!bf16Only.contains(variable)) {
        long offset = sizes.getOrDefault(variable.role(), 0L);
        offsets.put(variable.name(), offset / narrowing(variable.role()));
        sizes.put(variable.role(), offset + bytes);
      }
    }
  }

  /** With masters but for what the programs round; in fp32 alone nothing is rounded away. */
  static RoleArenas of(List<Variable> declared, List<Graph> programs, boolean bf16) {
    return new RoleArenas(
        declared, bf16, bf16 ? bf16Only(programs) : Set.of(), coded(programs), uploaded(programs));
  }

  /** Parameters that an update puts on grids of 8 bits. */
  private static Set<Variable> coded(List<Graph> programs) {
    Set<Variable> found = new HashSet<>();
    for (Graph program : programs) {
      for (Node node : program.nodes()) {
        if (node.op() instanceof ScaledUpdate update && update.roundingKey().isPresent()) {
          found.add(rounded(program, node));
        }
      }
    }
    return found;
  }

  private static Variable rounded(Graph program, Node node) {
    Variable variable = program.contents().get(node.input(0).id());
    if (variable == null) {
      throw new PlanException(node + ": rounds what is no parameter's first content");
    }
    return variable;
  }

  /** Matrices that no update adds to, or that some update rounds, so that they need no master. */
  static Set<Variable> bf16Only(List<Graph> programs) {
    Set<Variable> found = new HashSet<>();
    for (Graph program : programs) {
      for (Param param : program.params()) {
        boolean updated = param.demand() instanceof Whole;
        if (!updated && param.shape().rank() == 2) {
          found.add(param.variable());
        }
      }
      for (Node node : program.nodes()) {
        if (rounds(node.op())) {
          found.add(rounded(program, node));
        }
      }
    }
    return found;
  }

  private static Set<Variable> uploaded(List<Graph> programs) {
    Set<Variable> found = new HashSet<>();
    for (Graph program : programs) {
      for (Node node : program.nodes()) {
        Variable variable =
            node.op() instanceof Upload ? program.contents().get(node.input(0).id()) : null;
        if (variable != null) {
          found.add(variable);
        }
      }
    }
    return found;
  }

  private static boolean rounds(Op op) {
    return (op instanceof AdamW adamW && adamW.roundingKey().isPresent())
        || (op instanceof Mezo mezo && mezo.roundingKey().isPresent())
        || (op instanceof QuantizedAdamW quantized && quantized.roundingKey().isPresent());
  }

  /** How many times smaller than fp32 the variables of a role are. */
  int narrowing(Role role) {
    return bf16 && role.mayBeNarrow() ? 2 : 1;
  }

  boolean hasMaster(Variable variable) {
    return offsets.containsKey(variable.name());
  }

  /** Size of the arena of all bf16 copies; 0 where the precision is fp32. */
  long copyBytes() {
    return aligned(copyBytes);
  }

  /** Size of the arena of parameters that lie in memory of the host. */
  long hostBytes() {
    return aligned(hostBytes);
  }

  /** Whether the parameter lies in memory of the host. */
  boolean isHosted(Variable variable) {
    return hosted.containsKey(variable.name());
  }

  /** Offset of a parameter's bf16 copy, in the host's arena if it lies there. */
  long copyOffset(Variable variable) {
    same(variable);
    Long offset = hosted.getOrDefault(variable.name(), copies.get(variable.name()));
    if (offset == null) {
      throw new PlanException(variable + " has no bf16 copy");
    }
    return offset;
  }

  /** Whether the variable is stored in codes of 8 bits. */
  boolean hasCodes(Variable variable) {
    return codes.containsKey(variable.name());
  }

  /** Size of the arena of all parameters in codes. */
  long codeBytes() {
    return codeBytes;
  }

  /** Offset of a parameter in codes. */
  long codesOffset(Variable variable) {
    same(variable);
    Long offset = codes.get(variable.name());
    if (offset == null) {
      throw new PlanException(variable + " is not stored in codes");
    }
    return offset;
  }

  /** Parameters that have both, in declaration order. */
  List<Variable> masters() {
    return copies.keySet().stream().map(this::known).filter(this::hasMaster).toList();
  }

  /** Size of the role's variables. */
  long bytes(Role role) {
    return aligned(sizes.getOrDefault(role, 0L) / narrowing(role));
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Size of the role's arena: outputs have fault words and exposed words behind them. */
  long reservedBytes(Role role) {
    return bytes(role) + (role == Role.OUTPUT ? FaultWords.BYTES + ExposedWords.BYTES : 0);
  }

  private long offset(String variable) {
    Long offset = offsets.get(variable);
    if (offset == null) {
      String how = codes.containsKey(variable) ? "in codes of 8 bits" : "in bf16 alone";
      throw new PlanException(known(variable) + " is stored " + how);
    }
    return offset;
  }

  /** Offset of this very variable; another type or role under its name is an error. */
  long offset(Variable variable) {
    same(variable);
    return offset(variable.name());
  }

  private void same(Variable variable) {
    if (!variable.equals(variables.get(variable.name()))) {
      throw new PlanException(
          "memory holds " + variables.get(variable.name()) + ", the graph wants " + variable);
    }
  }

  Variable known(String variable) {
    Variable known = variables.get(variable);
    if (known == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this memory");
    }
    return known;
  }
}
