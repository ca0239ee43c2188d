package dev.kindling.driver.cli;

import dev.kindling.worker.plan.TrainPlan;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.package$;

/** What a driver runs on, for the report: facts that explain a number, none that name a person. */
final class RunEnvironment {
  private static final double GIB = 1L << 30;

  private RunEnvironment() {}

  static Map<String, String> of(TrainPlan plan, Map<String, String> variables) {
    Map<String, String> facts = new LinkedHashMap<>();
    String version = RunEnvironment.class.getPackage().getImplementationVersion();
    facts.put("Kindling", version == null ? "from classes" : version);
    Optional.ofNullable(variables.get("KINDLING_HOME"))
        .flatMap(home -> commit(Path.of(home)))
        .ifPresent(commit -> facts.put("Commit", commit));
    facts.put("Java", Runtime.version() + ", " + System.getProperty("java.vm.name"));
    facts.put("Spark", package$.MODULE$.SPARK_VERSION());
    facts.put("Device", plan.device().name().toLowerCase(Locale.ROOT));
    facts.put("Ranks", Integer.toString(plan.ranks()));
    facts.put("Launcher", plan.launcher().name().toLowerCase(Locale.ROOT));
    facts.put("Determinism", plan.determinism().name().toLowerCase(Locale.ROOT));
    facts.put("System", System.getProperty("os.name") + " " + System.getProperty("os.version"));
    facts.put(
        "Driver machine", Runtime.getRuntime().availableProcessors() + " processors" + memory());
    return facts;
  }

  private static String memory() {
    return ManagementFactory.getOperatingSystemMXBean()
            instanceof com.sun.management.OperatingSystemMXBean system
        ? String.format(Locale.ROOT, ", %.0f GiB", system.getTotalMemorySize() / GIB)
        : "";
  }

  /** The commit that a clone stands at; a release has none. Reads files: git may not be there. */
  static Optional<String> commit(Path home) {
    try {
      Path git = home.resolve(".git");
      if (Files.isRegularFile(git)) {
        // A worktree: "gitdir: FOLDER".
        git = home.resolve(read(git).replaceFirst("^gitdir: ", ""));
      }
      String head = read(git.resolve("HEAD"));
      if (!head.startsWith("ref: ")) {
        return hash(head);
      }
      String name = head.substring("ref: ".length());
      Path own = git;
      Path common = git.resolve("commondir");
      Path shared = Files.exists(common) ? own.resolve(read(common)) : own;
      Path loose = shared.resolve(name);
      return Files.exists(loose) ? hash(read(loose)) : packed(shared.resolve("packed-refs"), name);
    } catch (IOException | RuntimeException e) {
      return Optional.empty(); // No clone, or one of a kind that we do not know: nothing is lost.
    }
  }

  private static Optional<String> packed(Path file, String name) throws IOException {
    return read(file)
        .lines()
        .filter(line -> line.endsWith(" " + name))
        .findFirst()
        .flatMap(line -> hash(line.substring(0, line.indexOf(' '))));
  }

  private static Optional<String> hash(String text) {
    return text.matches("[0-9a-f]{40,64}") ? Optional.of(text.substring(0, 12)) : Optional.empty();
  }

  private static String read(Path file) throws IOException {
    return Files.readString(file, StandardCharsets.UTF_8).strip();
  }
}
