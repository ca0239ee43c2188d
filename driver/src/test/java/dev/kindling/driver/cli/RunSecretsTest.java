package dev.kindling.driver.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where a run keeps the secrets of {@code spark.conf}, and where it does not. */
class RunSecretsTest {
  @TempDir private Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();
  private final RecordingBodies bodies = new RecordingBodies();
  private String config = "";

  @BeforeEach
  void writeConfig() throws IOException {
    config = Files.writeString(folder.resolve("exp.yaml"), KindlingTest.CONFIG).toString();
  }

  private int run(String... arguments) {
    err.getBuffer().setLength(0);
    return Kindling.execute(
        bodies, new PrintWriter(out, true), new PrintWriter(err, true), arguments);
  }

  private String errors() {
    return err.toString().replace(folder.toString(), "DIR");
  }

  @Test
  void secretsAreHiddenAndTheirFileIsForItsOwner() throws IOException {
    String runDir = folder.resolve("run").toString();
    String secret = "spark.conf={spark.hadoop.fs.s3a.access.key: s3cr3t, spark.x: plain}";
    assertThat(run("train", config, "--set", secret, "--run-dir", runDir)).isZero();
    assertThat(errors())
        .isEqualTo(
            "kindling: DIR/run/secrets.properties holds secrets (spark.hadoop.fs.s3a.access.key)"
                + " and is readable by its owner only; spark-submit --properties-file keeps them"
                + " out of it\n");
    assertThat(Path.of(runDir, "secrets.properties")).content().contains("s3cr3t");
    Path stored = Path.of(runDir, "config.yaml");
    assertThat(stored).content().contains("(redacted)", "plain").doesNotContain("s3cr3t");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(Path.of(runDir))))
        .isEqualTo("rwx------");
    assertThat(run("resume", runDir)).isZero();
    assertThat(bodies.runs.get(1).plan()).isEqualTo(bodies.runs.get(0).plan());
    assertThat(bodies.runs.get(1).plan().spark().conf())
        .containsEntry("spark.hadoop.fs.s3a.access.key", "s3cr3t");
    assertThat(run("explain", stored.toString())).isZero();
    assertThat(out.toString()).contains("(redacted)").doesNotContain("s3cr3t");
    assertThat(bodies.runs.get(0).plan().toString()).doesNotContain("s3cr3t");
  }

  @Test
  void secretsThatALostFileHeldAreNamedAndNotReplacedByAWord() throws IOException {
    String runDir = folder.resolve("run").toString();
    String secret = "spark.conf={spark.a.token: s3cr3t, spark.x: plain}";
    run("train", config, "--set", secret, "--run-dir", runDir);
    Files.delete(Path.of(runDir, "secrets.properties"));
    assertThat(run("resume", runDir)).isZero();
    assertThat(errors()).contains("secrets.properties does not hold spark.a.token");
    assertThat(bodies.runs.get(1).plan().spark().conf()).isEqualTo(Map.of("spark.x", "plain"));
    String copy = Path.of(runDir, "config.yaml").toString();
    assertThat(run("train", copy, "--run-dir", folder.resolve("other").toString())).isEqualTo(2);
    assertThat(errors()).contains("spark.conf: expected values of spark.a.token");
  }

  @Test
  void secretsOfAnOlderRunFolderMoveOutOfItsConfiguration() throws IOException {
    String runDir = folder.resolve("run").toString();
    run("train", config, "--set", "spark.conf={spark.a.token: s3cr3t}", "--run-dir", runDir);
    Path stored = Path.of(runDir, "config.yaml");
    Files.writeString(stored, Files.readString(stored).replace("(redacted)", "s3cr3t"));
    Files.delete(Path.of(runDir, "secrets.properties"));
    assertThat(run("resume", runDir)).isZero();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(stored)))
        .isEqualTo("rw-------");
    assertThat(bodies.runs.get(1).plan().spark().conf()).containsEntry("spark.a.token", "s3cr3t");
    bodies.runs.get(1).firstStep().run();
    assertThat(stored).content().doesNotContain("s3cr3t");
    assertThat(Path.of(runDir, "secrets.properties")).content().contains("s3cr3t");
  }
}
