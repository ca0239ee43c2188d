package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.memory.Span;
import dev.kindling.kernels.random.Int8Grid;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/**
 * Page-locked memory for variables, in blocks that are one transfer each: neighbours on the device
 * are neighbours here.
 */
final class CudaSnapshot implements Snapshot {
  /** Beyond, a block could not be one buffer of Java. */
  private static final long LARGEST_BLOCK = 1L << 30;

  /**
   * Where a variable lies on the device.
   *
   * @param bytes on the device
   * @param form of these
   */
  record Source(String name, long address, long bytes, HostForm form) {}

  private record Copy(Span bytes, HostForm form) {
    /** Bytes that the host sees, or somewhat more: grids lie behind codes. */
    long wideBytes() {
      return switch (form) {
        case PLAIN -> bytes.bytes();
        case BF16 -> 2 * bytes.bytes();
        case CODES -> Float.BYTES * bytes.bytes();
      };
    }
  }

  private final CudaDevice device;
  private final CopyLane lane;
  private final List<PinnedArena> blocks = new ArrayList<>();
  private final List<CopyLane.Transfer> transfers = new ArrayList<>();
  private final Map<String, Copy> copies = new HashMap<>();
  private final CUevent done;

  /**
   * @param sources by address
   */
  CudaSnapshot(CudaDevice device, CopyLane lane, List<Source> sources) {
    this.device = device;
    this.lane = lane;
    done = CopyLane.event(device, CUevent_flags.CU_EVENT_BLOCKING_SYNC);
    try {
      int first = 0;
      for (int next = 1; next <= sources.size(); next++) {
        if (next == sources.size() || !continues(sources.get(first), sources, next)) {
          addBlock(sources.subList(first, next));
          first = next;
        }
      }
    } catch (RuntimeException | Error failure) {
      Closing.after(failure, this);
      throw failure;
    }
  }

  /** Whether the next variable goes into the block of the first: padding between them does too. */
  private static boolean continues(Source first, List<Source> sources, int next) {
    Source before = sources.get(next - 1);
    Source source = sources.get(next);
    long gap = source.address() - before.address() - before.bytes();
    return gap >= 0
        && gap < RoleArenas.ALIGNMENT
        && source.address() + source.bytes() - first.address() <= LARGEST_BLOCK;
  }

  private void addBlock(List<Source> sources) {
    long from = sources.get(0).address();
    Source last = sources.get(sources.size() - 1);
    PinnedArena block = new PinnedArena(device, last.address() + last.bytes() - from);
    blocks.add(block);
    transfers.add(new CopyLane.Transfer(from, block.pointer(), block.bytes()));
    for (Source source : sources) {
      Span bytes = block.span().slice(source.address() - from, source.bytes());
      copies.put(source.name(), new Copy(bytes, source.form()));
    }
  }

  @Override
  public void take() {
    lane.begin(transfers, done);
  }

  @Override
  public void await() {
    device.makeCurrent();
    check(JCudaDriver.cuEventSynchronize(done), "a snapshot");
  }

  @Override
  public void fetch(String variable, long from, Span target) {
    Copy copy = copies.get(variable);
    if (copy == null) {
      throw new IllegalArgumentException("no variable " + variable + " in this snapshot");
    }
    if (from < 0 || from + target.bytes() > copy.wideBytes()) {
      throw new DeviceException(
          "cuda: snapshot of %s: expected a run inside it, found byte %d and %d more"
              .formatted(variable, from, target.bytes()));
    }
    switch (copy.form()) {
      case PLAIN -> {
        Span run = copy.bytes().slice(from, target.bytes());
        target.buffer().put(0, run.buffer(), 0, (int) target.bytes());
      }
      case BF16 -> {
        Span run = copy.bytes().slice(from / 2, target.bytes() / 2);
        Bf16.widen(run.buffer(), target.buffer());
      }
      case CODES -> {
        ByteBuffer coded = copy.bytes().buffer();
        int first = Math.toIntExact(from / Float.BYTES);
        int grids = (int) Int8Grid.gridsOf(coded.capacity());
        int grid = grids + first / Int8Grid.GROUP * Integer.BYTES;
        ByteBuffer codes = coded.slice(first, coded.capacity() - first);
        Int8Grid.decode(codes, coded.slice(grid, coded.capacity() - grid), first, target);
      }
    }
  }

  @Override
  public long bytes() {
    return blocks.stream().mapToLong(PinnedArena::bytes).sum();
  }

  @Override
  public void close() {
    if (device.peers().givenUp()) {
      // To free page-locked memory waits for the device, whose kernels never end.
      return;
    }
    device.makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>(blocks);
    blocks.clear();
    copies.clear();
    parts.add(() -> check(JCudaDriver.cuEventDestroy(done), "cuEventDestroy"));
    Closing.all(parts);
  }
}
