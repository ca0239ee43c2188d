package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class KernelModuleTest {
  private static final Path SOURCES = Path.of("src/main/cuda");

  @Test
  void everyKernelSourceIsLoadedAndShipped() throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      List<String> names =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".cu"))
              .map(name -> name.substring(0, name.length() - 3))
              .sorted()
              .toList();
      assertThat(KernelModule.FAMILIES).isEqualTo(names);
    }
    for (String name : KernelModule.FAMILIES) {
      assertThat(KernelModule.class.getResource("/cuda/" + name + ".cu")).as(name).isNotNull();
    }
  }
}
