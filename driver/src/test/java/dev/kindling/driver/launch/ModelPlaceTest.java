package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.kernels.backend.DeviceException;
import java.util.OptionalInt;
import org.apache.spark.SparkConf;
import org.junit.jupiter.api.Test;

/** Where Spark's tasks put a model; a real task stands in {@link GpuSchedulingTest}. */
class ModelPlaceTest {
  private static final OptionalInt NONE = OptionalInt.empty();

  private static SparkConf conf(String gpus) {
    return new SparkConf(false).set("spark.master", "yarn").set(GpuSettings.AMOUNT, gpus);
  }

  private static ModelPlace place(
      DeviceChoice device, OptionalInt given, boolean local, String gpus) {
    return ModelPlace.ofExecutor(device, given, local, conf(gpus), 3);
  }

  @Test
  void theGpuThatSparkGaveIsTheOne() {
    for (DeviceChoice device : new DeviceChoice[] {DeviceChoice.AUTO, DeviceChoice.CUDA}) {
      assertThat(place(device, OptionalInt.of(2), false, "1"))
          .isEqualTo(new ModelPlace(device, 2, 3));
    }
  }

  @Test
  void inLocalModeItIsTheFirst() {
    assertThat(place(DeviceChoice.AUTO, NONE, true, "0"))
        .isEqualTo(new ModelPlace(DeviceChoice.AUTO, 0, 3));
  }

  @Test
  void anExecutorWithoutOneLeavesGpusAloneUnlessAskedForOne() {
    assertThat(place(DeviceChoice.AUTO, NONE, false, "1").device()).isEqualTo(DeviceChoice.CPU);
    assertThat(place(DeviceChoice.AUTO, NONE, false, "0").device()).isEqualTo(DeviceChoice.CPU);
    assertThat(place(DeviceChoice.CUDA, NONE, false, "0"))
        .isEqualTo(new ModelPlace(DeviceChoice.CUDA, 0, 3));
    assertThatThrownBy(() -> place(DeviceChoice.CUDA, NONE, false, "1"))
        .isInstanceOf(DeviceException.class)
        .hasMessageStartingWith("device: cuda: expected a GPU that Spark gave to this task")
        .hasMessageContaining("spark.plugins=dev.kindling.driver.plugin.KindlingPlugin")
        .hasMessageContaining("spark.task.resource.gpu.amount");
  }

  @Test
  void wordsAreThoseOfOptionsAndParams() {
    assertThat(DeviceChoice.words()).containsExactly("auto", "cpu", "cuda");
    for (String word : DeviceChoice.words()) {
      assertThat(DeviceChoice.of(word).word()).isEqualTo(word);
    }
  }
}
