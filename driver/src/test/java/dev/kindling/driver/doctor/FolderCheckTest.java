package dev.kindling.driver.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderCheckTest {
  @TempDir private Path folder;

  @Test
  void aFolderThatCanHoldRunsIsLeftAsItWas() throws IOException {
    Finding finding = FolderCheck.examine(folder);
    assertThat(finding.state()).as(finding.line()).isNotEqualTo(Finding.State.WRONG);
    assertThat(finding.text()).contains(folder.toString(), "GiB free");
    try (Stream<Path> left = Files.list(folder)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void aFolderThatDoesNotExistYetIsJudgedByItsParent() {
    Finding finding = FolderCheck.examine(folder.resolve("a/b/runs"));
    assertThat(finding.text()).startsWith(folder + ": ");
    assertThat(folder.resolve("a")).doesNotExist();
  }

  @Test
  void aPlaceThatCannotBeWrittenIsWrong() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "no folder");
    Finding finding = FolderCheck.examine(file);
    assertThat(finding.state()).isEqualTo(Finding.State.WRONG);
    assertThat(finding.text()).contains("cannot be written");
    assertThat(finding.mend()).contains("--run-dir");
  }
}
