package dev.kindling.driver.cli;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.plan.PlanChange;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The one place that turns command line, YAML and {@code --set} into a plan in a run folder. */
public final class RunFolder {
  private static final String CONFIG = "config.yaml";
  private static final List<String> TRACES = List.of(CONFIG, "checkpoints", "metrics.jsonl");

  private RunFolder() {}

  /**
   * Resolves a new run and writes its {@code config.yaml}.
   *
   * @param runDir empty: {@code runs/NAME-DATE-TIME} after the configuration's file name
   * @throws PlanException if the folder already holds a run
   */
  public static RunRequest start(
      Path config, List<String> sets, Optional<String> runDir, ProgressMode progress) {
    TrainPlan plan = PlanReader.read(ConfigDocument.read(config), sets).value();
    String folder = runDir.orElseGet(() -> freshName(config));
    for (String trace : TRACES) {
      if (Files.exists(Path.of(folder).resolve(trace))) {
        throw new PlanException(
            folder
                + " already holds a run ("
                + trace
                + "); go on with: kindling resume "
                + folder
                + ", or choose another --run-dir");
      }
    }
    String yaml = PlanReader.toYaml(plan);
    write(Path.of(folder), yaml);
    return new RunRequest(plan, yaml, folder, false, progress, List.of());
  }

  /**
   * Resolves the resumption of a run and writes the changed configuration, if it changed.
   *
   * @param accepted keys of {@code --accept-change}
   * @throws PlanException if the folder holds no run, or a key changed that must not
   */
  public static RunRequest resume(
      String runDir, List<String> sets, List<String> accepted, ProgressMode progress) {
    Path config = Path.of(runDir).resolve(CONFIG);
    if (!Files.exists(config)) {
      throw new PlanException(
          runDir
              + " holds no run (no "
              + CONFIG
              + "); start one with: kindling train CONFIG.yaml --run-dir "
              + runDir);
    }
    ConfigDocument document = ConfigDocument.read(config);
    TrainPlan before = PlanReader.read(document, List.of()).value();
    TrainPlan after = PlanReader.read(document, sets).value();
    List<String> warnings = PlanChange.check(before, after, accepted);
    String yaml = PlanReader.toYaml(after);
    if (!before.equals(after)) {
      write(Path.of(runDir), yaml);
    }
    return new RunRequest(after, yaml, runDir, true, progress, warnings);
  }

  private static String freshName(Path config) {
    String stem = String.valueOf(config.getFileName()).replaceFirst("\\.ya?ml$", "");
    String time =
        DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss", Locale.ROOT).format(LocalDateTime.now());
    return "runs/" + stem + "-" + time;
  }

  private static void write(Path folder, String yaml) {
    try {
      Files.createDirectories(folder);
      Path fresh = folder.resolve(CONFIG + ".new");
      Files.writeString(fresh, yaml, StandardCharsets.UTF_8);
      // Whole or not at all: a crash in between must not leave half a configuration.
      Files.move(fresh, folder.resolve(CONFIG), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + folder.resolve(CONFIG), e);
    }
  }
}
