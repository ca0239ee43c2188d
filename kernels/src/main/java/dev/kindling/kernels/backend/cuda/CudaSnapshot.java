package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.Snapshot;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.kernels.memory.Span;
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
   * @param narrow whether these are bf16
   */
  record Source(String name, long address, long bytes, boolean narrow) {}

  private record Copy(Span bytes, boolean narrow) {}

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
      copies.put(source.name(), new Copy(bytes, source.narrow()));
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
    int scale = copy.narrow() ? 2 : 1;
    if (from < 0 || from + target.bytes() > copy.bytes().bytes() * scale) {
      throw new DeviceException(
          "cuda: snapshot of %s: expected a run inside it, found byte %d and %d more"
              .formatted(variable, from, target.bytes()));
    }
    Span run = copy.bytes().slice(from / scale, target.bytes() / scale);
    if (copy.narrow()) {
      Bf16.widen(run.buffer(), target.buffer());
    } else {
      target.buffer().put(0, run.buffer(), 0, (int) target.bytes());
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
