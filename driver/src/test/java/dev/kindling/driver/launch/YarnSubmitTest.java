package dev.kindling.driver.launch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kindling.driver.Main;
import dev.kindling.driver.store.SmallHdfs;
import dev.kindling.worker.event.report.MetricsLog;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code spark-submit} with the sample settings on a YARN and an HDFS of this machine: containers
 * are real, authentication and encryption are on, the run folder is on HDFS, and OpenBLAS reaches
 * the ranks in an archive alone.
 */
@Tag("yarn")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class YarnSubmitTest {
  @RegisterExtension static final SmallHdfs HDFS = new SmallHdfs();

  private static final long END_SECONDS = 300;

  /** The bindings that we load and what they need; sample settings name the same files. */
  private static final String WANTED =
      ".*/lib(openblas|gfortran|quadmath|gcc_s|jniopenblas_nolapack|jnijavacpp)\\.so.*";

  private static final Path SETTINGS = Path.of("..", "cluster-configs", "cluster", "yarn.conf");

  @TempDir static Path folder;

  private SmallYarn yarn;
  private Path natives;
  private Path jars;

  @BeforeAll
  void cluster() throws IOException {
    yarn = SmallYarn.start(HDFS.files().getUri().toString());
    yarn.writeSettings(folder.resolve("hadoop"));
    natives = Files.createDirectory(folder.resolve("natives"));
    jars = Files.createDirectory(folder.resolve("jars"));
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      Path path = Path.of(entry).toAbsolutePath();
      if (entry.matches(".*/(openblas|javacpp)-[^/]*-linux-x86_64\\.jar")) {
        unpackLibraries(path);
      } else if (Files.isRegularFile(path)) {
        Files.createSymbolicLink(jars.resolve(path.getFileName()), path);
      }
    }
    zip(folder.resolve("natives.zip"), List.of(natives));
    zip(
        folder.resolve("kindling.jar"),
        Stream.of(DriverProcess.ownClasses().split(File.pathSeparator, -1)).map(Path::of).toList());
    Files.writeString(folder.resolve("corpus.txt"), "a text that repeats itself\n".repeat(2000));
  }

  @AfterAll
  void stop() {
    yarn.close();
  }

  private void unpackLibraries(Path jar) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : zip.stream().filter(e -> e.getName().matches(WANTED)).toList()) {
        Path target = natives.resolve(entry.getName().replaceFirst(".*/", ""));
        Files.copy(zip.getInputStream(entry), target);
        if (target.endsWith("libopenblas.so.0")) {
          // JavaCPP makes this second name itself where it unpacks its own jar.
          Files.copy(target, natives.resolve("libopenblas_nolapack.so.0"));
        }
      }
    }
  }

  /** The files below each of the folders; of equal names the first. */
  private static void zip(Path target, List<Path> folders) throws IOException {
    Set<String> names = new HashSet<>();
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(target))) {
      zip.setLevel(1);
      for (Path from : folders) {
        try (Stream<Path> walk = Files.walk(from)) {
          for (Path file : walk.filter(Files::isRegularFile).toList()) {
            String name = from.relativize(file).toString();
            if (names.add(name)) {
              zip.putNextEntry(new ZipEntry(name));
              Files.copy(file, zip);
            }
          }
        }
      }
    }
  }

  private String config(String launcher) throws IOException {
    String text =
        """
        model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
        data: {type: text, paths: ["%s"]}
        optimizer: {type: adamw, lr: 3e-3}
        schedule: {type: constant}
        steps: 10
        sequence_length: 64
        micro_batch: 512
        global_batch: 1024
        ranks: 2
        threads: 1
        checkpoint: {every_steps: 5}
        log: {every_steps: 1}
        launcher: %s
        """
            .formatted(folder.resolve("corpus.txt"), launcher);
    return Files.writeString(folder.resolve(launcher + ".yaml"), text).toString();
  }

  private DriverProcess java(String... words) throws IOException {
    List<String> all = new ArrayList<>();
    // The last class path counts: that of spark-submit, without our classes.
    all.addAll(List.of("-cp", folder.resolve("hadoop") + File.pathSeparator + jars + "/*"));
    all.addAll(List.of(words));
    Map<String, String> variables =
        Map.of(
            "HADOOP_CONF_DIR", folder.resolve("hadoop").toString(),
            "LD_LIBRARY_PATH", natives.toString());
    return DriverProcess.startIn(folder, folder, all, variables);
  }

  private static Map<Long, Double> losses(Path metrics) throws IOException {
    Map<Long, Double> losses = new TreeMap<>();
    MetricsLog.read(metrics)
        .byStep()
        .forEach((step, line) -> losses.put(step, MetricsLog.number(line, "loss")));
    return losses;
  }

  private Path fetched(String run, String name) throws IOException {
    Path copy = folder.resolve("fetched").resolve(name);
    HDFS.files()
        .copyToLocalFile(
            false,
            new org.apache.hadoop.fs.Path(run, name),
            new org.apache.hadoop.fs.Path(copy.toString()),
            true);
    return copy;
  }

  @Test
  void theSampleSettingsTrainInContainersWithNativesFromAnArchive() throws Exception {
    Path local = folder.resolve("local");
    try (DriverProcess threads =
        java(
            "-cp",
            folder.resolve("kindling.jar") + File.pathSeparator + jars + "/*",
            Main.class.getName(),
            "train",
            config("threads"),
            "--run-dir",
            local.toString())) {
      assertThat(threads.await(END_SECONDS)).as(threads.text()).isZero();
    }
    String run = HDFS.files().makeQualified(SmallHdfs.freshRoot()).toString();
    List<String> seen = new ArrayList<>();
    try (DriverProcess submit =
        java(
            "org.apache.spark.deploy.SparkSubmit",
            "--master",
            "yarn",
            "--properties-file",
            SETTINGS.toAbsolutePath().normalize().toString(),
            "--conf",
            "spark.executor.cores=1",
            "--conf",
            "spark.executor.memory=512m",
            "--conf",
            "spark.executor.memoryOverhead=1g",
            "--conf",
            "spark.yarn.jars=local:" + jars + "/*",
            "--archives",
            folder.resolve("natives.zip") + "#natives",
            "--conf",
            "spark.executor.extraLibraryPath=./natives",
            "--class",
            Main.class.getName(),
            folder.resolve("kindling.jar").toString(),
            "train",
            config("spark"),
            "--run-dir",
            run)) {
      while (submit.isAlive() && seen.isEmpty()) {
        TimeUnit.MILLISECONDS.sleep(50);
        seen.addAll(librariesOfExecutors());
      }
      assertThat(submit.await(END_SECONDS)).as(submit.text()).isZero();
    }
    assertThat(losses(fetched(run, "metrics.jsonl")))
        .isEqualTo(losses(local.resolve("metrics.jsonl")))
        .hasSize(10);
    assertThat(seen).as("from the archive, in the container's folder").isNotEmpty();
    for (int rank = 0; rank < 2; rank++) {
      assertThat(fetched(run, "logs/rank-" + rank + ".log"))
          .content(StandardCharsets.UTF_8)
          .contains("INFO phase train")
          .doesNotContain("OpenBLAS does not load");
    }
  }

  /** OpenBLAS as containers have mapped it. */
  private static List<String> librariesOfExecutors() {
    return ProcessHandle.current()
        .descendants()
        .filter(process -> process.info().command().orElse("").endsWith("java"))
        .flatMap(YarnSubmitTest::maps)
        .filter(line -> line.matches(".*/filecache/.*/libopenblas.*"))
        .toList();
  }

  private static Stream<String> maps(ProcessHandle process) {
    try {
      return Files.readAllLines(Path.of("/proc", Long.toString(process.pid()), "maps")).stream();
    } catch (IOException | UncheckedIOException gone) {
      return Stream.empty();
    }
  }
}
