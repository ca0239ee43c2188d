package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JcudaLibraryTest {
  @Test
  void theLibraryOfTheBindingsOnTheClassPathIsFound(@TempDir Path folder) throws IOException {
    assertThat(JcudaLibrary.unpack(folder)).isTrue();
    assertThat(folder.toFile().listFiles()).hasSize(1);
    assertThat(folder).isDirectoryContaining("glob:**/libJCudaDriver-*.so");
  }

  @Test
  void aForeignFileInTheTemporaryFolderIsNotLoaded(@TempDir Path folder) throws Exception {
    Path trap = folder.resolve("libJCudaDriver-12.6.0-linux-x86_64.so");
    Files.writeString(trap, "not a library", StandardCharsets.UTF_8);
    // In a process of its own: a class is loaded once.
    Process probe =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.io.tmpdir=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                CudaProbe.class.getName())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String said = new String(probe.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(probe.waitFor()).as(said).isZero();
    // Without a driver the right file fails too, but for want of libcuda; a trap has no ELF header.
    assertThat(said)
        .contains("trying\tlibcuda.so.1\n", "\nend\n")
        .containsPattern("driver\t\\d|libcuda.so.1: cannot open|expected a ");
    assertThat(trap).hasContent("not a library");
    assertThat(folder.toFile().list()).containsExactly(String.valueOf(trap.getFileName()));
  }
}
