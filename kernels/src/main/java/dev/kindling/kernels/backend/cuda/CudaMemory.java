package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Memory;
import dev.kindling.kernels.graph.Role;
import dev.kindling.kernels.graph.Variable;
import dev.kindling.kernels.memory.Span;
import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * One block of device memory per role, a bf16 copy of the parameters, and the host's views: pinned
 * for the roles that travel with every run, made on first use for the others.
 */
final class CudaMemory implements Memory, Addresses {
  private final CudaDevice device;
  private final Map<Role, Long> arenas = new EnumMap<>(Role.class);
  private final RoleArenas declared;
  private final Map<String, Span> views = new HashMap<>();
  private final Map<Role, PinnedArena> pinned = new EnumMap<>(Role.class);
  private final long copies;
  private long workspace;
  private long workspaceBytes;

  CudaMemory(CudaDevice device, RoleArenas declared, boolean bf16) {
    this.device = device;
    this.declared = declared;
    for (Role role : Role.values()) {
      arenas.put(role, device.reserve(bytes(role), role + " arena"));
    }
    copies = bf16 ? device.reserve(declared.copyBytes(), "bf16 copy of the parameters") : 0;
    for (Role role : List.of(Role.INPUT, Role.STEP, Role.OUTPUT)) {
      pinned.put(role, new PinnedArena(device, bytes(role)));
    }
  }

  @Override
  public long address(Variable variable) {
    return arena(variable.role(), arenas) + declared.offset(variable);
  }

  @Override
  public long copyAddress(Variable variable) {
    return copies + declared.copyOffset(variable);
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

  /** Copies of whole roles that begin or end every run. */
  Command upload(Role role) {
    PinnedArena host = Objects.requireNonNull(pinned.get(role));
    Address.Device to = Address.Device.at(arena(role, arenas));
    return () ->
        check(
            JCudaDriver.cuMemcpyHtoDAsync(to, host.pointer(), host.bytes(), device.stream()),
            "cuMemcpyHtoDAsync " + role);
  }

  Command download(Role role) {
    PinnedArena host = Objects.requireNonNull(pinned.get(role));
    Address.Device from = Address.Device.at(arena(role, arenas));
    return () ->
        check(
            JCudaDriver.cuMemcpyDtoHAsync(host.pointer(), from, host.bytes(), device.stream()),
            "cuMemcpyDtoHAsync " + role);
  }

  @Override
  public Span span(String variable) {
    Variable known = declared.known(variable);
    PinnedArena arena = pinned.get(known.role());
    if (arena != null) {
      return arena.span().slice(declared.offset(variable), known.type().bytes());
    }
    return views.computeIfAbsent(variable, name -> Span.allocate(known.type().bytes()));
  }

  @Override
  public Span arena(Role role) {
    PinnedArena arena = pinned.get(role);
    if (arena == null) {
      throw new DeviceException("cuda: the host has no view of the whole " + role + " arena");
    }
    return arena.span();
  }

  @Override
  public void fetch(String variable) {
    copy(variable, true);
  }

  @Override
  public void publish(String variable) {
    copy(variable, false);
    Variable known = declared.known(variable);
    if (known.role() == Role.PARAMETER && copies != 0) {
      staleCopies = true;
    }
  }

  private void copy(String variable, boolean toHost) {
    Variable known = declared.known(variable);
    device.makeCurrent();
    device.synchronize("before copying " + variable);
    if (!hasMaster(known)) {
      copyNarrow(known, toHost);
      return;
    }
    transfer(variable, span(variable).buffer(), address(known), toHost);
  }

  /** What is stored in bf16 alone is fp32 to the host, rounded to nearest on its way down. */
  private void copyNarrow(Variable variable, boolean toHost) {
    Span wide = span(variable.name());
    try (Span narrow = Span.allocate(wide.bytes() / 2)) {
      if (!toHost) {
        Bf16.narrow(wide.buffer(), narrow.buffer());
      }
      transfer(variable.name(), narrow.buffer(), copyAddress(variable), toHost);
      if (toHost) {
        Bf16.widen(narrow.buffer(), wide.buffer());
      }
    }
  }

  private static void transfer(String variable, ByteBuffer content, long address, boolean toHost) {
    Pointer host = Pointer.to(content);
    Address.Device there = Address.Device.at(address);
    long bytes = content.capacity();
    check(
        toHost
            ? JCudaDriver.cuMemcpyDtoH(host, there, bytes)
            : JCudaDriver.cuMemcpyHtoD(there, host, bytes),
        (toHost ? "cuMemcpyDtoH " : "cuMemcpyHtoD ") + variable);
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
    if (bytes(role) > 0) {
      Address.Device at = Address.Device.at(arena(role, arenas));
      check(
          JCudaDriver.cuMemsetD8Async(at, (byte) 0, bytes(role), device.stream()),
          "cuMemsetD8Async " + role);
      device.synchronize("clear " + role);
    }
    if (role == Role.PARAMETER && copies != 0) {
      Address.Device at = Address.Device.at(copies);
      check(
          JCudaDriver.cuMemsetD8Async(at, (byte) 0, declared.copyBytes(), device.stream()),
          "cuMemsetD8Async copies");
      device.synchronize("clear copies");
      staleCopies = true;
    }
  }

  @Override
  public long bytes(Role role) {
    return declared.bytes(role);
  }

  @Override
  public void close() {
    device.makeCurrent();
    pinned.values().forEach(PinnedArena::close);
    views.values().forEach(Span::close);
  }
}
