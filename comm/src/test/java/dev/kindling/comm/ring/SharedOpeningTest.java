package dev.kindling.comm.ring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedOpeningTest {
  @Test
  void memoryOfTwoRanksIsTheirUsersAlone(@TempDir Path folder) throws IOException {
    Path first = SharedOpening.privateFile(folder);
    Path second = SharedOpening.privateFile(folder);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(first)))
        .isEqualTo("rw-------");
    assertThat(first).isNotEqualTo(second);
  }
}
