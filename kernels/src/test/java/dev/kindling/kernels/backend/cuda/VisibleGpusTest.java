package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VisibleGpusTest {
  @TempDir private Path root;

  @BeforeEach
  void twoGpusOfThree() throws IOException {
    gpu("0000:1b:00.0", 2, "GPU-cccc");
    gpu("0000:0a:00.0", 0, "GPU-aaaa");
    gpu("0000:0f:00.0", 1, "GPU-bbbb");
    Files.createDirectories(root.resolve("dev"));
    Files.createFile(root.resolve("dev/nvidia0"));
    Files.createFile(root.resolve("dev/nvidia2"));
    Files.createFile(root.resolve("dev/nvidiactl"));
  }

  private void gpu(String bus, int minor, String uuid) throws IOException {
    Path folder = root.resolve("proc/driver/nvidia/gpus").resolve(bus);
    Files.createDirectories(folder);
    Files.writeString(
        folder.resolve("information"),
        """
        Model: 		 NVIDIA H100 80GB HBM3
        IRQ:   		 18
        GPU UUID: 	 %s
        Bus Location: 	 %s
        Device Minor: 	 %d
        """
            .formatted(uuid, bus, minor));
  }

  @Test
  void aContainerHasTheGpusWhoseDeviceFilesItSees() {
    VisibleGpus gpus = VisibleGpus.under(root, Map.of());
    assertThat(gpus.present())
        .containsExactly(
            new VisibleGpus.Gpu(0, "GPU-aaaa", "NVIDIA H100 80GB HBM3"),
            new VisibleGpus.Gpu(2, "GPU-cccc", "NVIDIA H100 80GB HBM3"));
    assertThat(gpus.count()).isEqualTo(2);
    assertThat(gpus.names()).containsExactly("0", "1");
    assertThat(gpus).hasToString("2 GPU(s)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "0,1; 2",
        "1,0; 2",
        "1; 1",
        "GPU-cc; 1",
        "GPU-aaaa,GPU-cccc; 2",
        "GPU-bbbb; 0",
        "MIG-1,MIG-2; 2",
        "0,7,1; 1",
        "0,0; 1",
        "-1; 0",
        "NoDevFiles; 0",
        "''; 0",
        "' 0 , 1 '; 2"
      })
  void theVariableHidesGpusAsCudaReadsIt(String visible, int count) {
    VisibleGpus gpus = VisibleGpus.under(root, Map.of("CUDA_VISIBLE_DEVICES", visible));
    assertThat(gpus.count()).isEqualTo(count);
    assertThat(gpus.names())
        .isEqualTo(Stream.of(visible.split(",")).map(String::strip).limit(count).toList());
    assertThat(gpus).hasToString("2 GPU(s), CUDA_VISIBLE_DEVICES=" + visible);
  }

  @Test
  void aMachineWithoutADriverHasNone(@TempDir Path empty) {
    VisibleGpus gpus = VisibleGpus.under(empty, Map.of("CUDA_VISIBLE_DEVICES", "0"));
    assertThat(gpus.present()).isEmpty();
    assertThat(gpus.count()).isZero();
  }
}
