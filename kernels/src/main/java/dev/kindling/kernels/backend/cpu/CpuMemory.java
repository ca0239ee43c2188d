package dev.kindling.kernels.backend.cpu;

import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * One span per role, one slice per variable, and the activation arena that programs share in turn.
 */
final class CpuMemory implements Memory {
  private final Map<Role, Span> arenas = new EnumMap<>(Role.class);
  private final Map<String, Piece> pieces = new HashMap<>();
  private final Map<String, Variable> variables = new HashMap<>();
  private final List<Span> workspaces = new ArrayList<>();
  private @Nullable Span scratch;
  private int moves;
  private boolean closed;

  CpuMemory(List<Variable> declared) {
    for (Role role : Role.values()) {
      long bytes = 0;
      for (Variable variable : declared) {
        bytes += variable.role() == role ? Span.aligned(variable.type().bytes()) : 0;
      }
      if (bytes > Integer.MAX_VALUE - 2L * Span.ALIGNMENT) {
        throw new PlanException(
            role
                + " arena: expected less than 2 GiB on the CPU backend, found "
                + bytes
                + " bytes");
      }
      arenas.put(role, Span.allocate(bytes));
    }
    Map<Role, Long> offsets = new EnumMap<>(Role.class);
    for (Variable variable : declared) {
      if (variables.put(variable.name(), variable) != null) {
        throw new PlanException("variable " + variable.name() + " declared twice");
      }
      long offset = offsets.getOrDefault(variable.role(), 0L);
      pieces.put(
          variable.name(), new Piece(arena(variable.role()), offset, variable.type().bytes()));
      offsets.put(variable.role(), offset + Span.aligned(variable.type().bytes()));
    }
  }

  @Override
  public int slots() {
    return 1;
  }

  @Override
  public void await(int slot) {
    checkSlot(slot);
  }

  private static void checkSlot(int slot) {
    if (slot != 0) {
      throw new IllegalArgumentException("slot: expected 0, found " + slot);
    }
  }

  @Override
  public Span span(String variable, int slot) {
    checkSlot(slot);
    checkOpen();
    Piece piece = pieces.get(variable);
    if (piece == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this memory");
    }
    return piece.span();
  }

  /** The place of this very variable; another type or role under its name is an error. */
  Piece piece(Variable variable) {
    Piece piece = pieces.get(variable.name());
    if (piece == null || !variable.equals(variables.get(variable.name()))) {
      throw new PlanException(
          "memory holds " + variables.get(variable.name()) + ", the graph wants " + variable);
    }
    return piece;
  }

  @Override
  public Span arena(Role role, int slot) {
    checkSlot(slot);
    checkOpen();
    return java.util.Objects.requireNonNull(arenas.get(role));
  }

  @Override
  public void fetch(String variable) {
    span(variable); // Host and device are one; an unknown name is still an error.
  }

  @Override
  public long[] hashes(List<String> hashed) {
    long[] hashes = new long[hashed.size()];
    for (int i = 0; i < hashes.length; i++) {
      CRC32C crc = new CRC32C();
      crc.update(span(hashed.get(i)).buffer().duplicate());
      hashes[i] = crc.getValue();
    }
    return hashes;
  }

  @Override
  public Snapshot snapshot(List<String> copied) {
    return new CpuSnapshot(this, copied);
  }

  @Override
  public void publish(String variable) {
    span(variable);
  }

  @Override
  public void clear(Role role) {
    Span arena = arena(role);
    for (long i = 0; i < arena.bytes() / Float.BYTES; i++) {
      arena.putFloat(i, 0f);
    }
  }

  @Override
  public long bytes(Role role) {
    return arena(role).bytes();
  }

  /**
   * Activation memory. Programs run one after the other, so blocks of the largest size serve all. A
   * block that has to grow is given back first: programs compiled before bind themselves again when
   * {@link #moves} has changed.
   */
  Span workspace(int arena, long bytes) {
    checkOpen();
    while (workspaces.size() <= arena) {
      workspaces.add(Span.allocate(bytes));
    }
    if (workspaces.get(arena).bytes() < bytes) {
      moves++;
      workspaces.get(arena).close();
      workspaces.set(arena, Span.allocate(bytes));
    }
    return workspaces.get(arena);
  }

  /** Memory within one node. Nodes run one after the other, so the largest request serves all. */
  Span scratch(long bytes) {
    checkOpen();
    Span present = scratch;
    if (present != null && present.bytes() >= bytes) {
      return present;
    }
    if (present != null) {
      moves++;
      present.close();
    }
    Span larger = Span.allocate(Span.aligned(bytes));
    scratch = larger;
    return larger;
  }

  /** How often a block that programs share has moved. */
  int moves() {
    return moves;
  }

  /** A run on memory given back would end the whole process. */
  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this memory is closed");
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    workspaces.forEach(Span::close);
    if (scratch != null) {
      scratch.close();
    }
    arenas.values().forEach(Span::close);
  }
}
