package dev.kindling.kernels.backend.cuda;

import static dev.kindling.kernels.backend.cuda.Cuda.check;

import dev.kindling.kernels.memory.Closing;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.jspecify.annotations.Nullable;

/**
 * A stream on which content leaves the device beside the runs. Runs read what is being copied and
 * wait before they write it: the copy engine costs a step next to nothing.
 */
final class CopyLane implements AutoCloseable {
  /** In a captured graph: wait for the record that the event has when the graph is launched. */
  private static final int WAIT_EXTERNAL = 1;

  private final CudaDevice device;
  private final CUevent reached;
  private final CUevent copied;
  private Address.@Nullable Stream stream;

  CopyLane(CudaDevice device) {
    this.device = device;
    reached = event(device, 0);
    copied = event(device, 0);
    check(JCudaDriver.cuEventRecord(copied, device.stream()), "cuEventRecord (copied)");
  }

  /** An event that counts no time. */
  static CUevent event(CudaDevice device, int flags) {
    CUevent event = new CUevent();
    device.makeCurrent();
    check(
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DISABLE_TIMING | flags),
        "cuEventCreate");
    return event;
  }

  private Address.Stream stream() {
    Address.Stream made = stream;
    if (made == null) {
      made = new Address.Stream();
      int nonBlocking = CUstream_flags.CU_STREAM_NON_BLOCKING;
      check(JCudaDriver.cuStreamCreate(made, nonBlocking), "cuStreamCreate (copies)");
      stream = made;
    }
    return made;
  }

  /** One transfer from the device to page-locked memory. */
  record Transfer(long address, Address.Host host, long bytes) {}

  /**
   * Begins to copy what the device holds after all that its main stream has so far.
   *
   * @param done is recorded behind the last of them
   */
  void begin(List<Transfer> transfers, CUevent done) {
    device.makeCurrent();
    Address.Stream copies = stream();
    check(JCudaDriver.cuEventRecord(reached, device.stream()), "cuEventRecord (reached)");
    check(JCudaDriver.cuStreamWaitEvent(copies, reached, 0), "cuStreamWaitEvent (reached)");
    for (Transfer transfer : transfers) {
      Address.Device from = Address.Device.at(transfer.address());
      check(
          JCudaDriver.cuMemcpyDtoHAsync(transfer.host(), from, transfer.bytes(), copies),
          "cuMemcpyDtoHAsync of a snapshot");
    }
    check(JCudaDriver.cuEventRecord(copied, copies), "cuEventRecord (copied)");
    check(JCudaDriver.cuEventRecord(done, copies), "cuEventRecord (done)");
  }

  /**
   * The main stream waits for what was begun before the run.
   *
   * @param capturing whether the command is being captured just now
   */
  Command barrier(BooleanSupplier capturing) {
    return () ->
        check(
            JCudaDriver.cuStreamWaitEvent(
                device.stream(), copied, capturing.getAsBoolean() ? WAIT_EXTERNAL : 0),
            "cuStreamWaitEvent (copied)");
  }

  /** Waits for all that was begun, before the host itself writes. */
  void settle() {
    check(JCudaDriver.cuEventSynchronize(copied), "copies of a snapshot");
  }

  @Override
  public void close() {
    device.makeCurrent();
    List<AutoCloseable> parts = new ArrayList<>();
    Address.Stream made = stream;
    stream = null;
    if (made != null) {
      parts.add(() -> check(JCudaDriver.cuStreamDestroy(made), "cuStreamDestroy"));
    }
    parts.add(() -> check(JCudaDriver.cuEventDestroy(reached), "cuEventDestroy"));
    parts.add(() -> check(JCudaDriver.cuEventDestroy(copied), "cuEventDestroy"));
    Closing.all(parts);
  }
}
