package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PrivateFolderTest {
  @TempDir Path folder;

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void aNewFolderIsItsOwnersAlone() throws IOException {
    Path run = folder.resolve("runs/new");
    PrivateFolder.make(run);
    assertThat(mode(run)).isEqualTo("rwx------");
  }

  @Test
  void oneThatExistsKeepsItsMode() throws IOException {
    Path shared = Files.createDirectory(folder.resolve("shared"));
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxr-x"));
    PrivateFolder.make(shared);
    assertThat(mode(shared)).isEqualTo("rwxrwxr-x");
    Path file = Files.createFile(folder.resolve("file"));
    assertThatThrownBy(() -> PrivateFolder.make(file))
        .isInstanceOf(FileAlreadyExistsException.class);
  }
}
