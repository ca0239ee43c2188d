package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SecretsFileTest {
  private static final Map<String, String> SECRETS =
      Map.of("spark.a.secret", "x=1 #\u00e4\n\\", "spark.b", "https://a:b@c/");

  @TempDir Path folder;

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void itsOwnerAloneReadsBackWhatWasWritten() throws IOException {
    SecretsFile file = new SecretsFile(folder.resolve("config.yaml"));
    file.write(SECRETS);
    assertThat(file.read()).isEqualTo(SECRETS);
    assertThat(mode(file.path())).isEqualTo("rw-------");
    Files.setPosixFilePermissions(file.path(), PosixFilePermissions.fromString("rw-r--r--"));
    assertThat(file.read()).isEqualTo(SECRETS);
    assertThat(mode(file.path())).as("after a copy").isEqualTo("rw-------");
  }

  @Test
  void withoutSecretsThereIsNoFile() {
    SecretsFile file = new SecretsFile(folder.resolve("config.yaml"));
    assertThat(file.read()).isEmpty();
    file.write(SECRETS);
    file.write(Map.of());
    assertThat(folder).isEmptyDirectory();
  }
}
