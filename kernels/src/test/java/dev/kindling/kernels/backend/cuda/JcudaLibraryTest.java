package dev.kindling.kernels.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

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
  void aForeignFileInTheTemporaryFolderIsNotLoaded() throws IOException {
    String before = System.getProperty("java.io.tmpdir");
    Path trap = Path.of(before, "libJCudaDriver-12.6.0-linux-x86_64.so");
    boolean mine = !Files.exists(trap);
    if (mine) {
      Files.writeString(trap, "not a library", StandardCharsets.UTF_8);
    }
    try {
      // Without a driver the right file fails too, but for want of libcuda.
      Throwable failure = catchThrowable(JcudaLibrary::load);
      if (failure != null) {
        assertThat(failure).isInstanceOf(LinkageError.class);
        assertThat(failure.getMessage()).contains("libcuda.so.1").doesNotContain("invalid ELF");
      }
      assertThat(System.getProperty("java.io.tmpdir")).isEqualTo(before);
    } finally {
      if (mine) {
        Files.delete(trap);
      }
    }
  }
}
