package dev.kindling.driver.experiment;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.configs.yaml.RecordBinder;
import dev.kindling.kernels.backend.cuda.VisibleGpus;
import dev.kindling.kernels.fault.Failpoint;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.loop.StopRequest;
import dev.kindling.worker.loop.StopSignal;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.JsonReader;
import dev.kindling.worker.store.LocalStorage;
import dev.kindling.worker.store.OwnerLock;
import dev.kindling.worker.store.Storage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * Runs what is not finished, as many at a time as fit, and writes {@code table.csv}, {@code
 * table.md}, {@code costs.csv}, {@code costs.md}, {@code costs.svg} and {@code curves.svg}, and
 * {@code validation.svg} of runs that validate on their way; {@code seeds.md} and {@code seeds.svg}
 * where runs differ in their seeds alone. Runs may be added to an experiment, also to one that is
 * finished.
 *
 * <p>Folder: {@code experiment.json} (what runs it holds), {@code runs/NAME} (run folders), {@code
 * results/NAME.json} (finished), {@code logs/NAME.log}. A kill at any moment costs at most the
 * steps since the last checkpoints.
 */
public final class Experiment {
  private static final int MAX_SMALL_FILE = 16 << 20;

  /** A killed one is cleared away by the kernel within this time. */
  private static final Duration PATIENCE = Duration.ofSeconds(3);

  private final Path folder;
  private final Path config;
  private final List<PlannedRun> runs;
  private final RunSlots slots;
  private final Storage storage;
  private final PrintWriter out;
  private final Map<String, Integer> failures = new ConcurrentHashMap<>();

  private Experiment(ExperimentSpec spec, Path file, PrintWriter out) {
    Path absolute = file.toAbsolutePath();
    this.config = Objects.requireNonNull(absolute.getParent()).resolve(spec.config()).normalize();
    this.runs = PlannedRun.of(spec);
    String stem = String.valueOf(absolute.getFileName()).replaceFirst("\\.ya?ml$", "");
    this.folder = Path.of(spec.folder().orElse("runs/" + stem)).toAbsolutePath();
    this.storage = new LocalStorage(folder);
    this.out = out;
    this.slots = RunSlots.of(spec.parallel(), validated(), VisibleGpus.ofThisProcess());
  }

  /** Reads and checks an experiment with all its runs; nothing is started or written. */
  public static Experiment read(Path file, PrintWriter out) {
    ExperimentSpec spec =
        RecordBinder.bind(ConfigDocument.read(file), ExperimentSpec.class).value();
    return new Experiment(spec, file, out);
  }

  /** Folder of the experiment. */
  public Path folder() {
    return folder;
  }

  /** Every run's configuration must be whole before the first one starts. */
  private List<TrainPlan> validated() {
    return runs.stream()
        .map(run -> PlanReader.read(ConfigDocument.read(config), run.sets()).value())
        .toList();
  }

  /**
   * Runs everything that has no result yet.
   *
   * @return 0, or the exit code of the first run in order that failed
   * @throws PlanException if the folder holds another experiment or one that is running now
   */
  public int run(RunStarter starter, StopSignal stop) throws IOException, InterruptedException {
    Files.createDirectories(folder);
    Path lock = folder.resolve("experiment.lock");
    OwnerLock owner = OwnerLock.take(lock, PATIENCE).orElseThrow(() -> taken(lock));
    try (owner) {
      requireSameExperiment();
      runAll(starter, stop);
      writeTables();
      out.println("table: " + folder.resolve("table.md"));
      return runs.stream()
          .map(run -> failures.getOrDefault(run.name(), 0))
          .filter(code -> code != 0)
          .findFirst()
          .orElse(0);
    }
  }

  private PlanException taken(Path lock) {
    return new PlanException(
        folder + ": this experiment is running in another process (" + OwnerLock.owner(lock) + ")");
  }

  private void requireSameExperiment() throws IOException {
    List<Json> described = new ArrayList<>();
    for (PlannedRun run : runs) {
      described.add(
          Json.object().put("name", run.name()).put("set", Json.strings(run.sets())).build());
    }
    byte[] identity =
        Json.object()
            .put("config", Files.readString(config, StandardCharsets.UTF_8))
            .put("runs", Json.of(described))
            .build()
            .bytes();
    if (storage.commitExclusive("experiment.json", identity)) {
      return;
    }
    byte[] held = storage.read("experiment.json", MAX_SMALL_FILE);
    if (!Arrays.equals(identity, held)) {
      requireMore(described, JsonReader.read(held, "experiment.json").asObject("the file"));
      storage.replace("experiment.json", identity);
    }
  }

  /** The configuration and all runs that the folder holds stay what they are. */
  private void requireMore(List<Json> wanted, Json.Obj held) throws IOException {
    List<String> runs = wanted.stream().map(Json::write).toList();
    boolean grown =
        held.text("config").equals(Files.readString(config, StandardCharsets.UTF_8))
            && runs.containsAll(held.list("runs").stream().map(Json::write).toList());
    if (!grown) {
      throw new PlanException(
          folder
              + " holds another experiment (its configuration or its runs differ); choose another"
              + " folder, or leave what it holds and add runs");
    }
  }

  private void runAll(RunStarter starter, StopSignal stop) throws InterruptedException {
    BlockingQueue<String> free = new LinkedBlockingQueue<>(slots.gpus());
    ExecutorService pool = Executors.newFixedThreadPool(Math.min(slots.count(), runs.size()));
    try {
      List<Future<?>> futures = new ArrayList<>();
      for (PlannedRun run : runs) {
        futures.add(pool.submit(() -> runOne(run, starter, stop, free)));
      }
      for (Future<?> future : futures) {
        future.get();
      }
    } catch (ExecutionException broken) {
      throw new IllegalStateException(
          "a run could not be started: " + broken.getCause(), broken.getCause());
    } finally {
      pool.shutdownNow();
    }
  }

  private Void runOne(
      PlannedRun run, RunStarter starter, StopSignal stop, BlockingQueue<String> free)
      throws IOException, InterruptedException {
    if (finished(run)) {
      say(run, "finished before");
      return null;
    }
    if (stop.poll() != StopRequest.NONE) {
      return null;
    }
    List<String> command = command(run);
    String gpus = free.take();
    int code;
    try {
      String where = gpus.isEmpty() ? "" : " on GPU " + gpus;
      say(run, (command.get(0).equals("resume") ? "resumed" : "started") + where);
      code = starter.run(run.name(), command, gpus);
    } finally {
      free.add(gpus);
    }
    if (code == 0) {
      Json.Obj result =
          Json.object().put("name", run.name()).put("set", Json.strings(run.sets())).build();
      Failpoint.EXPERIMENT_RESULT.before();
      storage.commitExclusive(result(run), result.bytes());
      Failpoint.EXPERIMENT_RESULT.after();
      say(run, "done");
    } else {
      failures.put(run.name(), code);
      say(
          run,
          "ended with exit code "
              + code
              + "; see "
              + folder.resolve("logs/" + run.name() + ".log"));
    }
    return null;
  }

  private synchronized void say(PlannedRun run, String what) {
    out.println(run.name() + ": " + what);
    out.flush();
  }

  private static String result(PlannedRun run) {
    return "results/" + run.name() + ".json";
  }

  private boolean finished(PlannedRun run) throws IOException {
    return storage.exists(result(run));
  }

  private Path runDir(PlannedRun run) {
    return folder.resolve("runs").resolve(run.name());
  }

  /**
   * A run that made a step goes on, in its own folder: what is left of its killed ranks is fenced
   * there by the next attempt's epoch, which a fresh folder would not know. None writes a sample:
   * it would take longer than the steps of a small run.
   */
  private List<String> command(PlannedRun run) {
    Path runDir = runDir(run);
    if (RunHistory.trace(runDir).isPresent()) {
      return List.of("resume", runDir.toString(), "--progress", "steps");
    }
    List<String> words = new ArrayList<>(List.of("train", config.toString()));
    for (String assignment : run.sets()) {
      words.add("--set");
      words.add(assignment);
    }
    words.addAll(List.of("--run-dir", runDir.toString(), "--progress", "steps"));
    return words;
  }

  private void writeTables() throws IOException {
    List<ResultTable.Row> rows = new ArrayList<>();
    Map<String, MetricsLog> curves = new LinkedHashMap<>();
    for (PlannedRun run : runs) {
      MetricsLog metrics = MetricsLog.read(runDir(run).resolve("metrics.jsonl"));
      Integer failure = failures.get(run.name());
      String status =
          finished(run) ? "done" : failure == null ? "pending" : "failed (" + failure + ")";
      rows.add(new ResultTable.Row(run, status, metrics));
      curves.put(run.name(), metrics);
    }
    ResultTable table = ResultTable.ofResults(rows);
    Failpoint.EXPERIMENT_TABLE.before();
    storage.replace("table.csv", table.csv().getBytes(StandardCharsets.UTF_8));
    Failpoint.EXPERIMENT_TABLE.after();
    storage.replace("table.md", table.markdown().getBytes(StandardCharsets.UTF_8));
    ResultTable costs = ResultTable.ofCosts(rows);
    storage.replace("costs.csv", costs.csv().getBytes(StandardCharsets.UTF_8));
    storage.replace("costs.md", costs.markdown().getBytes(StandardCharsets.UTF_8));
    storage.replace("costs.svg", CostBars.draw(rows).getBytes(StandardCharsets.UTF_8));
    storage.replace("curves.svg", Curves.training(curves).getBytes(StandardCharsets.UTF_8));
    if (curves.values().stream().anyMatch(metrics -> metrics.validation().size() > 1)) {
      byte[] picture = Curves.validation(curves).getBytes(StandardCharsets.UTF_8);
      storage.replace("validation.svg", picture);
    }
    SeedGroups seeds = new SeedGroups(rows);
    if (!seeds.isEmpty()) {
      storage.replace("seeds.md", seeds.markdown().getBytes(StandardCharsets.UTF_8));
      storage.replace("seeds.svg", seeds.picture().getBytes(StandardCharsets.UTF_8));
    }
  }
}
