package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.driver.doctor.DeviceFacts;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.DeviceException;
import dev.kindling.worker.plan.Device;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class PlacedModelTest {
  private final List<String> notices = new ArrayList<>();
  private final List<String> story = new ArrayList<>();

  /** Says what becomes of it. */
  private final class Model implements AutoCloseable {
    Model(Backend backend) {
      story.add("open on " + backend.name().replaceFirst("/.*", ""));
    }

    @Override
    public void close() {
      story.add("close");
    }
  }

  private record Made(boolean hasDriver, int gpus, String refusal) implements PlacedModel.Machine {
    @Override
    public DeviceFacts facts() {
      List<DeviceFacts.Gpu> shown = new ArrayList<>();
      for (int gpu = 0; gpu < gpus; gpu++) {
        shown.add(new DeviceFacts.Gpu(gpu, 90, 80L << 30, -1, "NVIDIA H100"));
      }
      return new DeviceFacts("13.0", refusal, shown, Map.of(), Map.of(), List.of(), true);
    }
  }

  private PlacedModel<Model> open(DeviceChoice device, Made machine) {
    return PlacedModel.open(new ModelPlace(device, 999, 1), machine, notices::add, Model::new);
  }

  @Test
  void withoutADriverAutoIsTheCpuWithoutAWord() {
    try (PlacedModel<Model> placed = open(DeviceChoice.AUTO, new Made(false, 1, "never asked"))) {
      assertThat(placed.device()).isEqualTo(Device.CPU);
    }
    assertThat(notices).isEmpty();
    assertThat(story).containsExactly("open on cpu", "close");
  }

  @Test
  void whereAGpuIsNotUsableAutoSaysWhy() {
    open(DeviceChoice.AUTO, new Made(true, 1, "cuda: the driver is too old")).close();
    open(DeviceChoice.AUTO, new Made(true, 0, "")).close();
    assertThat(notices)
        .containsExactly(
            "cuda: the driver is too old; this model runs on the CPU",
            "cuda: expected a GPU that this process sees, found none; this model runs on the CPU");
    assertThat(story).containsExactly("open on cpu", "close", "open on cpu", "close");
  }

  /** No machine has GPU 999: what is found only when it is opened. */
  @Test
  void whatAGpuRefusesLaterSendsAutoToTheCpuTooAndEndsTheOther() {
    Made machine = new Made(true, 1, "");
    open(DeviceChoice.AUTO, machine).close();
    assertThat(notices)
        .singleElement()
        .satisfies(
            line -> assertThat(line).startsWith("cuda: ").endsWith("; this model runs on the CPU"));
    assertThat(story).containsExactly("open on cpu", "close");
    assertThatThrownBy(() -> open(DeviceChoice.CUDA, machine))
        .isInstanceOf(DeviceException.class)
        .hasMessageStartingWith("cuda: ");
    assertThat(story).hasSize(2);
  }

  @Test
  void aGpuThatIsAskedForIsThereOrAnError() {
    assertThatThrownBy(
            () -> open(DeviceChoice.CUDA, new Made(true, 1, "cuda: the driver is too old")))
        .isInstanceOf(DeviceException.class)
        .hasMessage("cuda: the driver is too old; more: kindling doctor --device cuda");
    assertThatThrownBy(() -> open(DeviceChoice.CUDA, new Made(false, 0, "")))
        .isInstanceOf(DeviceException.class)
        .hasMessage(
            "cuda: expected a GPU that this process sees, found none;"
                + " more: kindling doctor --device cuda");
    assertThat(story).isEmpty();
  }

  @Test
  void theCpuIsTakenWhereItIsAskedForWhateverElseThereIs() {
    open(DeviceChoice.CPU, new Made(true, 1, "never asked")).close();
    assertThat(story).containsExactly("open on cpu", "close");
    assertThat(notices).isEmpty();
  }

  @Test
  void aModelThatCannotBeLoadedIsNoMatterOfTheDevice() {
    ModelPlace place = new ModelPlace(DeviceChoice.AUTO, 0, 1);
    assertThatThrownBy(
            () ->
                PlacedModel.<Model>open(
                    place,
                    new Made(false, 0, ""),
                    notices::add,
                    backend -> {
                      throw new IllegalStateException("no weights");
                    }))
        .hasMessage("no weights");
    assertThat(notices).isEmpty();
  }
}
