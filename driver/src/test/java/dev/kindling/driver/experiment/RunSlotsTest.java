package dev.kindling.driver.experiment;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.backend.cuda.VisibleGpus;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunSlotsTest {
  @TempDir private Path root;

  private TrainPlan plan(String lines) throws IOException {
    Path file = root.resolve("plan.yaml");
    Files.writeString(
        file,
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: [somewhere]}
        optimizer: {type: adamw, lr: 3e-3}
        steps: 3
        sequence_length: 64
        micro_batch: 64
        global_batch: 128
        threads: 1
        """
            + lines);
    return PlanReader.read(ConfigDocument.read(file), List.of()).value();
  }

  private VisibleGpus gpus(int count, Map<String, String> environment) throws IOException {
    for (int i = 0; i < count; i++) {
      Path folder = root.resolve("proc/driver/nvidia/gpus/" + i);
      Files.createDirectories(folder);
      Files.writeString(folder.resolve("information"), "Device Minor: " + i + "\n");
      Files.createDirectories(root.resolve("dev"));
      Files.writeString(root.resolve("dev/nvidia" + i), "");
    }
    return VisibleGpus.under(root, environment);
  }

  private static List<String> of(int wished, TrainPlan plan, VisibleGpus gpus) {
    return RunSlots.of(wished, List.of(plan), gpus).gpus();
  }

  @Test
  void everyRunHasGpusOfItsOwn() throws IOException {
    TrainPlan one = plan("device: cuda\nlauncher: processes\n");
    TrainPlan two = plan("device: cuda\nlauncher: processes\nranks: 2\n");
    VisibleGpus four = gpus(4, Map.of());
    assertThat(of(0, one, four)).containsExactly("0", "1", "2", "3");
    assertThat(of(2, one, four)).containsExactly("0", "1");
    assertThat(of(0, two, four)).containsExactly("0,1", "2,3");
    assertThat(RunSlots.of(0, List.of(one, two), four).gpus()).containsExactly("0,1", "2,3");
    VisibleGpus some = gpus(4, Map.of("CUDA_VISIBLE_DEVICES", "3,1,2"));
    assertThat(of(0, two, some)).containsExactly("3,1");
  }

  @Test
  void moreRunsThanGpusAreRefused() throws IOException {
    TrainPlan two = plan("device: cuda\nlauncher: processes\nranks: 2\n");
    VisibleGpus four = gpus(4, Map.of());
    assertThatThrownBy(() -> of(3, two, four))
        .isInstanceOf(PlanException.class)
        .hasMessage(
            "parallel: expected at most 2, found 3: each run has 2 rank(s), and this machine shows"
                + " 4 GPU(s)");
  }

  @Test
  void whereNoGpuIsOursToGiveNothingIsSaidOfThem() throws IOException {
    VisibleGpus four = gpus(4, Map.of());
    VisibleGpus none = VisibleGpus.under(root.resolve("nowhere"), Map.of());
    assertThat(of(3, plan("device: cpu\nlauncher: threads\n"), four)).containsExactly("", "", "");
    assertThat(of(3, plan("device: cuda\nlauncher: spark\n"), four)).containsExactly("", "", "");
    assertThat(of(0, plan("device: cuda\nlauncher: processes\n"), none)).containsExactly("");
    int cores = Runtime.getRuntime().availableProcessors();
    assertThat(of(0, plan("device: cpu\nlauncher: threads\n"), none)).hasSize(cores);
  }
}
