package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script in a release archive; java and spark-submit say what they are called with. */
class KindlingScriptTest {
  private static final String SAY =
      """
      #!/bin/sh
      for word in "$@"; do echo "word $word"; done
      echo "libraries $LD_LIBRARY_PATH"
      echo "umask $(umask) core $(ulimit -c)"
      """;

  @TempDir private Path folder;
  private Path release;

  @BeforeEach
  void unpack() throws IOException {
    release = folder.resolve("a release");
    Path script = Files.createDirectories(release.resolve("bin")).resolve("kindling");
    Files.copy(root().resolve("bin/kindling"), script);
    Files.createDirectories(release.resolve("lib"));
    Files.createFile(release.resolve("lib/kindling-1.2.jar"));
    Files.createFile(release.resolve("lib/kindling-cuda-1.2.jar"));
    Files.createDirectories(folder.resolve("spark/jars"));
    program(folder.resolve("spark/bin/spark-submit"));
    program(folder.resolve("jdk/bin/java"));
    Files.writeString(folder.resolve("jdk/release"), "JAVA_VERSION=\"17.0.9\"\n");
    Files.createDirectories(folder.resolve("toolkit/lib64"));
  }

  private static Path root() {
    Path root = Path.of("").toAbsolutePath();
    while (!Files.exists(root.resolve("bin/kindling"))) {
      root = Objects.requireNonNull(root.getParent(), "no bin/kindling above");
    }
    return root;
  }

  private static void program(Path path) throws IOException {
    Files.createDirectories(Objects.requireNonNull(path.getParent()));
    Files.writeString(path, SAY);
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private List<String> run(String libraries, String... words) throws Exception {
    List<String> command =
        Stream.concat(Stream.of("sh", release.resolve("bin/kindling").toString()), Stream.of(words))
            .toList();
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
    builder.environment().put("SPARK_HOME", folder.resolve("spark").toString());
    builder.environment().put("CUDA_HOME", folder.resolve("toolkit").toString());
    builder.environment().put("LD_LIBRARY_PATH", libraries);
    builder.environment().remove("SPARK_MASTER");
    Process process = builder.directory(folder.toFile()).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(text).isZero();
    return text.lines().toList();
  }

  private String lib(String jar) {
    return release.toAbsolutePath().resolve("lib").resolve(jar).toString();
  }

  @Test
  void theBindingsAreOnTheClassPathOfTheDriverAndOfItsChildren() throws Exception {
    List<String> words = run("", "train", "my run.yaml");
    assertThat(words)
        .contains(
            "word %s/spark/jars/*:%s:%s"
                .formatted(folder, lib("kindling-1.2.jar"), lib("kindling-cuda-1.2.jar")),
            "word -Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
            "word train",
            "word my run.yaml");
  }

  @Test
  void whatARunWritesIsItsOwnersAndItLeavesNoCore() throws Exception {
    String closed = "umask 0077 core 0";
    assertThat(run("", "train", "a.yaml")).contains(closed);
    assertThat(run("", "--master", "spark://h:1", "resume", "a run")).contains(closed);
    assertThat(run("", "export", "a run", "--to", "x")).doesNotContain(closed);
  }

  @Test
  void theToolkitsLibrariesComeAfterWhatTheUserNames() throws Exception {
    String toolkit = folder.resolve("toolkit/lib64").toString();
    assertThat(run("", "doctor")).contains("libraries " + toolkit);
    assertThat(run("/own", "doctor")).contains("libraries /own:" + toolkit);
    assertThat(run(toolkit + ":/own", "doctor")).contains("libraries " + toolkit + ":/own");
    Files.delete(folder.resolve("toolkit/lib64"));
    assertThat(run("/own", "doctor")).contains("libraries /own");
  }

  @Test
  void executorsOfAClusterFetchTheBindingsForGpuRunsOnly() throws Exception {
    Files.writeString(folder.resolve("cpu.yaml"), "device: cpu\n");
    Files.writeString(folder.resolve("gpu.yaml"), "device: cuda\n");
    Path run = Files.createDirectories(folder.resolve("a run"));
    Files.copy(folder.resolve("gpu.yaml"), run.resolve("config.yaml"));
    List<String> bindings = List.of("word --jars", "word " + lib("kindling-cuda-1.2.jar"));
    assertThat(run("", "--master", "spark://h:1", "train", "gpu.yaml"))
        .containsSequence(bindings)
        .containsSequence("word " + lib("kindling-1.2.jar"), "word train", "word gpu.yaml");
    assertThat(run("", "--master", "spark://h:1", "train", "cpu.yaml", "--set", "device=cuda"))
        .containsSequence(bindings);
    assertThat(run("", "--master", "spark://h:1", "resume", "a run")).containsSequence(bindings);
    assertThat(run("", "--master", "spark://h:1", "train", "cpu.yaml"))
        .doesNotContain("word --jars");
    // --jars would replace the user's own list.
    assertThat(run("", "--master", "m", "--conf", "spark.jars=/a.jar", "train", "gpu.yaml"))
        .doesNotContain("word --jars");
  }
}
