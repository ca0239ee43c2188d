package dev.kindling.kernels.backend.cuda;

import dev.kindling.kernels.backend.cuda.layout.Group;
import dev.kindling.kernels.backend.cuda.layout.GroupRules;
import dev.kindling.kernels.backend.cuda.layout.Layout;
import dev.kindling.kernels.backend.cuda.layout.Precision;
import dev.kindling.kernels.graph.Graph;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Every byte of device memory that a CUDA backend reserves for programs over one memory, told
 * without a device. The context comes on top, and buffers of collectives over several ranks.
 *
 * @param variables size of the arena of each role
 * @param copies bf16 copies of the parameters
 * @param codes parameters in codes of 8 bits, which have no other place
 * @param activations arena of values that live inside one run; programs share it
 * @param scratch memory of one group of nodes at a time; programs share it
 * @param workspace of matrix products
 * @param ropeTables angles, one table per kind
 * @param constants tables of tensors and numbers of columns
 * @param pinnedHost page-locked bytes of the host, weights that lie there among them; no part of
 *     {@link #total}
 */
public record CudaBytes(
    Map<Role, Long> variables,
    long copies,
    long codes,
    long activations,
    long scratch,
    long workspace,
    long ropeTables,
    long constants,
    long pinnedHost) {
  /** Multiprocessors of an H100 SXM; grids and with them scratch memory depend on the number. */
  public static final int H100_MULTIPROCESSORS = 132;

  /** A variable's address before there is memory: each role at a multiple of this. */
  private static final long ROLE_STRIDE = 1L << 44;

  public CudaBytes {
    variables = Map.copyOf(variables);
  }

  /**
   * @param declared all variables of the memory, in order
   * @param programs all graphs that will be compiled over it
   */
  public static CudaBytes of(
      List<Variable> declared, List<Graph> programs, Precision precision, int multiprocessors) {
    RoleArenas arenas = RoleArenas.of(declared, programs, precision == Precision.BF16);
    Planned planned = new Planned(arenas);
    Counts counts = new Counts();
    for (Graph program : programs) {
      counts.add(Layout.of(program, precision, GroupRules.ALL), planned, multiprocessors);
    }
    Map<Role, Long> variables = new EnumMap<>(Role.class);
    for (Role role : Role.values()) {
      variables.put(role, arenas.reservedBytes(role));
    }
    if (planned.hasCopies()) {
      counts.constants += ElementCuda.copies(planned, arenas).bytes() * programs.size();
    }
    return new CudaBytes(
        variables,
        arenas.copyBytes(),
        arenas.codeBytes(),
        counts.activations,
        counts.scratch,
        CublasLt.WORKSPACE_BYTES,
        counts.ropeTables.stream().mapToLong(RopeTable::bytes).sum(),
        counts.constants,
        pinned(arenas));
  }

  private static long pinned(RoleArenas arenas) {
    long travelling = RoleArenas.TRAVELLING.stream().mapToLong(arenas::reservedBytes).sum();
    return CudaMemory.SLOTS * travelling + arenas.hostBytes();
  }

  /** All bytes on the device. */
  public long total() {
    return variables.values().stream().mapToLong(Long::longValue).sum()
        + copies
        + codes
        + activations
        + scratch
        + workspace
        + ropeTables
        + constants;
  }

  /** Addresses as they could be. */
  private record Planned(RoleArenas arenas) implements Addresses {
    @Override
    public boolean hasCopies() {
      return arenas.copyBytes() > 0;
    }

    @Override
    public long faultWord(String what, FaultWords.Numbers numbers, int rows) {
      return (4L + Role.values().length) * ROLE_STRIDE;
    }

    @Override
    public long address(Variable variable) {
      return (1L + variable.role().ordinal()) * ROLE_STRIDE + arenas.offset(variable);
    }

    @Override
    public long copyAddress(Variable variable) {
      long place = arenas.isHosted(variable) ? 4 : 1;
      return (place + Role.values().length) * ROLE_STRIDE + arenas.copyOffset(variable);
    }

    @Override
    public boolean hasCodes(Variable variable) {
      return arenas.hasCodes(variable);
    }

    @Override
    public long codesAddress(Variable variable) {
      return (3L + Role.values().length) * ROLE_STRIDE + arenas.codesOffset(variable);
    }

    @Override
    public boolean hasMaster(Variable variable) {
      return arenas.hasMaster(variable);
    }
  }

  /** What the groups ask for when they are bound dry. */
  private static final class Counts {
    private long activations;
    private long scratch;
    private long constants;
    private final Set<RopeTable> ropeTables = new HashSet<>();

    void add(Layout layout, Addresses variables, int multiprocessors) {
      activations = Math.max(activations, layout.activationBytes());
      long arena = (2L + Role.values().length) * ROLE_STRIDE;
      Binding.Place place =
          new Binding.Place(layout, variables, null, multiprocessors, arena, Map.of());
      for (Group group : layout.groups()) {
        Binding binding = Binding.dry(place, group);
        CudaKernels.bind(binding);
        scratch = Math.max(scratch, binding.scratchBytes());
        constants += binding.constantBytes();
        ropeTables.addAll(binding.ropeTables());
      }
    }
  }
}
