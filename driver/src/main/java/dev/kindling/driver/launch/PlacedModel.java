package dev.kindling.driver.launch;

import dev.kindling.driver.doctor.DeviceFacts;
import dev.kindling.driver.doctor.DeviceProbe;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.memory.Closing;
import dev.kindling.worker.plan.Device;
import java.util.List;
import java.util.function.Consumer;

/**
 * A model that is not being trained, on its device. Products are not timed on a GPU, so that the
 * same model gives the same text there every time.
 *
 * @param backend closed behind the model
 */
public record PlacedModel<M extends AutoCloseable>(M model, Backend backend, Device device)
    implements AutoCloseable {

  /** Loads a model. */
  @FunctionalInterface
  public interface Opener<M> {
    /**
     * @throws DeviceException if the device has no kernel for the model, or too little memory
     */
    M open(Backend backend);
  }

  /** What this machine has; tests make it up. */
  interface Machine {
    /** Whether it is worth a second to look for a GPU. */
    boolean hasDriver();

    DeviceFacts facts() throws InterruptedException;
  }

  private static final Machine THIS =
      new Machine() {
        @Override
        public boolean hasDriver() {
          return DeviceProbe.hasDriver();
        }

        @Override
        public DeviceFacts facts() throws InterruptedException {
          return DeviceProbe.run();
        }
      };

  /**
   * Loads a model where it is to run. A GPU is looked at in a process of its own before this one
   * touches it.
   *
   * @param notices hears which GPU it is, what takes long there, and why a GPU of this machine is
   *     not the one; nothing about the CPU of a machine without one
   * @throws DeviceException if a GPU is asked for and not usable
   */
  public static <M extends AutoCloseable> PlacedModel<M> open(
      ModelPlace place, Consumer<String> notices, Opener<M> opener) {
    return open(place, THIS, notices, opener);
  }

  static <M extends AutoCloseable> PlacedModel<M> open(
      ModelPlace place, Machine machine, Consumer<String> notices, Opener<M> opener) {
    boolean asked = place.device() == DeviceChoice.CUDA;
    if (place.device() == DeviceChoice.CPU || (!asked && !machine.hasDriver())) {
      return on(Device.CPU, place, notices, opener);
    }
    String refusal = refusal(machine);
    if (refusal.isEmpty()) {
      try {
        return on(Device.CUDA, place, notices, opener);
      } catch (DeviceException unfit) {
        if (asked) {
          throw unfit;
        }
        refusal = String.valueOf(unfit.getMessage());
      }
    }
    if (asked) {
      throw new DeviceException(refusal + "; more: kindling doctor --device cuda");
    }
    notices.accept(refusal + "; this model runs on the CPU");
    return on(Device.CPU, place, notices, opener);
  }

  private static String refusal(Machine machine) {
    try {
      DeviceFacts facts = machine.facts();
      return facts.refusal().isEmpty() && facts.gpus().isEmpty()
          ? "cuda: expected a GPU that this process sees, found none"
          : facts.refusal(1);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while looking for a GPU", e);
    }
  }

  private static <M extends AutoCloseable> PlacedModel<M> on(
      Device device, ModelPlace place, Consumer<String> notices, Opener<M> opener) {
    if (device == Device.CUDA) {
      WorkerJvm.limitThisJvm(device);
    }
    CpuOptions cpu = new CpuOptions(place.threads(), MatmulKind.OPENBLAS);
    Backend backend = device.open(cpu, place.gpu(), false, notices);
    try {
      M model = opener.open(backend);
      if (device == Device.CUDA) {
        notices.accept("on " + backend.name());
      }
      return new PlacedModel<>(model, backend, device);
    } catch (RuntimeException | Error failed) {
      Closing.after(failed, backend);
      throw failed;
    }
  }

  @Override
  public void close() {
    Closing.all(List.of(model, backend));
  }
}
