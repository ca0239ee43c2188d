package dev.kindling.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class NamesTest {
  private static final Pattern BANNED =
      Pattern.compile(
          "(Manager|Helper|Utils?|Handler|Processor|Impl|Common|Misc|Info|Data|Context\\d)\\.java$"
              + "|/(Base|Abstract)[A-Z]\\w*\\.java$");

  private static final Pattern UNFINISHED =
      Pattern.compile("\\b(TODO|FIXME|XXX)\\b|@Disabled|not implemented");

  @Test
  void noFileHasANameThatSaysNothing() throws IOException {
    assertThat(SourceTree.javaFiles("")).noneMatch(p -> BANNED.matcher(p.toString()).find());
  }

  @Test
  void nothingIsLeftUnfinished() throws IOException {
    for (Path file : SourceTree.javaFiles("")) {
      if (!file.endsWith("NamesTest.java")) {
        assertThat(Files.readString(file, StandardCharsets.UTF_8))
            .as(file.toString())
            .doesNotContainPattern(UNFINISHED);
      }
    }
  }

  @Test
  void everyPackageSaysWhatItIsFor() throws IOException {
    List<Path> folders =
        SourceTree.javaFiles("main/").stream()
            .map(p -> java.util.Objects.requireNonNull(p.getParent()))
            .distinct()
            .toList();
    assertThat(folders).allMatch(f -> Files.isRegularFile(f.resolve("package-info.java")));
  }

  @Test
  void onlyTheCommandLineAndProgramsPrint() throws IOException {
    for (Path file : SourceTree.javaFiles("main/")) {
      String path = file.toString();
      if (!path.contains("/driver/cli/") && !path.contains("/benchmarks/")) {
        assertThat(Files.readString(file, StandardCharsets.UTF_8))
            .as(path)
            .doesNotContain("System.out.print");
      }
    }
  }

  @Test
  void theRootHoldsOnlyWhatTheContractNames() throws IOException {
    List<String> allowed =
        List.of(
            "kernels",
            "comm",
            "optim",
            "moe",
            "worker",
            "driver",
            "cluster-configs",
            "benchmarks",
            "bin",
            "docs",
            "pom.xml",
            "README.md",
            "CHANGELOG.md",
            "LICENSE",
            "NOTICE");
    try (Stream<Path> entries = Files.list(SourceTree.root())) {
      assertThat(entries.map(p -> String.valueOf(p.getFileName())))
          .filteredOn(name -> !name.startsWith("."))
          .filteredOn(name -> !List.of("target", "runs").contains(name))
          .isSubsetOf(allowed);
    }
  }
}
