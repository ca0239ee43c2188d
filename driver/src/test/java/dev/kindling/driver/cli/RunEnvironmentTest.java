package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunEnvironmentTest {
  private static final String HASH = "0123456789abcdef0123456789abcdef01234567";

  @TempDir Path home;

  private void write(String name, String text) throws IOException {
    Path file = home.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text + "\n");
  }

  @Test
  void aCloneNamesItsCommit() throws IOException {
    write(".git/HEAD", "ref: refs/heads/main");
    write(".git/refs/heads/main", HASH);
    assertThat(RunEnvironment.commit(home)).contains("0123456789ab");
  }

  @Test
  void aDetachedHeadAndPackedNamesAreRead() throws IOException {
    write(".git/HEAD", HASH);
    assertThat(RunEnvironment.commit(home)).contains("0123456789ab");
    write(".git/HEAD", "ref: refs/heads/main");
    write(".git/packed-refs", "# pack-refs\nffff refs/heads/other\n" + HASH + " refs/heads/main");
    assertThat(RunEnvironment.commit(home)).contains("0123456789ab");
  }

  @Test
  void aWorktreeReadsTheNamesOfItsClone() throws IOException {
    write(".git", "gitdir: " + home.resolve("clone/.git/worktrees/w"));
    write("clone/.git/worktrees/w/HEAD", "ref: refs/heads/side");
    write("clone/.git/worktrees/w/commondir", "../..");
    write("clone/.git/refs/heads/side", HASH);
    assertThat(RunEnvironment.commit(home)).contains("0123456789ab");
  }

  @Test
  void aReleaseHasNone() throws IOException {
    assertThat(RunEnvironment.commit(home)).isEmpty();
    write(".git/HEAD", "ref: refs/heads/gone");
    assertThat(RunEnvironment.commit(home)).isEmpty();
  }
}
