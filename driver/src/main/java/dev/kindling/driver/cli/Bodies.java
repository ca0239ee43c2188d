package dev.kindling.driver.cli;

import dev.kindling.driver.compare.RunDiff;
import dev.kindling.driver.data.DataJobs;
import dev.kindling.driver.data.QueryRows;
import dev.kindling.driver.data.SparkWorkPool;
import dev.kindling.driver.experiment.ChildStarter;
import dev.kindling.driver.experiment.Experiment;
import dev.kindling.driver.launch.ModelPlace;
import dev.kindling.driver.launch.PlacedModel;
import dev.kindling.driver.launch.Progress;
import dev.kindling.driver.launch.SparkApplication;
import dev.kindling.driver.launch.StopSwitch;
import dev.kindling.driver.launch.TrainingRun;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.ThreadWorkPool;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.WorkPool;
import dev.kindling.worker.generate.TextGenerator;
import dev.kindling.worker.plan.LauncherKind;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** The commands' bodies as the rooms offer them. */
public final class Bodies implements CommandBodies {
  private static final Path RUNS = Path.of("runs");

  @Override
  public int train(RunRequest request, PrintWriter out) throws Exception {
    TrainPlan plan = request.plan();
    StorageLocation runDir = request.runDir();
    Progress progress = new Progress(out, style(request.progress()), plan.steps());
    StopSwitch stop = new StopSwitch(progress::say);
    stop.install();
    progress.say("run folder " + runDir);
    FinalSample sample = new FinalSample(runDir, plan.device(), progress);
    TrainingRun.DataSource data =
        (p, spark) ->
            sample.promptsFrom(
                prepared(
                    p.withModel(p.model(), CompanionFiles.tokenizer(runDir, p.tokenizer())),
                    spark,
                    preparedBeside(runDir),
                    progress));
    String configYaml = PlanReader.toYaml(plan.withoutSecrets());
    int code =
        new WitnessedRun(
                request.files().folder(),
                configYaml,
                request.resume(),
                RunEnvironment.of(plan, System.getenv()),
                progress::say)
            .around(
                witness ->
                    new TrainingRun(
                            new TrainingRun.Order(
                                plan,
                                configYaml,
                                runDir,
                                request.files(),
                                request.resume(),
                                request.firstStep(),
                                witness),
                            data,
                            progress,
                            stop)
                        .run());
    if (code == ExitCodes.DONE && request.progress() != ProgressMode.STEPS) {
      sample.show();
    }
    String next = code == 0 ? "done: " : "stopped; go on with: kindling resume ";
    progress.say(next + runDir);
    return code;
  }

  private static Progress.Style style(ProgressMode mode) {
    return switch (mode) {
      case AUTO -> System.console() == null ? Progress.Style.PLAIN : Progress.Style.LIVE;
      case PLAIN, STEPS -> Progress.Style.PLAIN;
      case OFF -> Progress.Style.OFF;
    };
  }

  /**
   * Beside the run folders, where every rank that reaches one reaches the other. Prepared sets are
   * local files: with a run folder elsewhere the working directory must be one that ranks share.
   */
  static Path preparedBeside(StorageLocation runDir) {
    Path run = runDir.path().orElse(RUNS.resolve("any"));
    return run.toAbsolutePath().normalize().resolveSibling("prepared");
  }

  static TokenShards prepared(
      TrainPlan plan, Optional<SparkApplication> spark, Path root, Progress progress) {
    TokenShards shards = made(plan, spark, root, progress);
    if (shards.manifest().leftOut().any()) {
      progress.say(
          "data: "
              + shards.manifest().leftOut().told()
              + "; see left-out.txt in "
              + shards.folder());
    }
    return shards;
  }

  private static TokenShards made(
      TrainPlan plan, Optional<SparkApplication> spark, Path root, Progress progress) {
    WorkPool.Progress lines =
        (phase, done, total) -> {
          if (done * 10 / total != (done - 1) * 10 / total) {
            progress.say("data: " + phase + " " + done + "/" + total);
          }
        };
    if (QueryRows.needed(plan.data()) && spark.isEmpty()) {
      return QueryRows.prepareBelow(
          plan.data(), plan.tokenizer(), plan.sequenceLength(), root, lines);
    }
    WorkPool pool =
        spark
            .<WorkPool>map(s -> new LatePool(() -> new SparkWorkPool(s.context(), lines)))
            .orElseGet(() -> ThreadWorkPool.ofCores(lines));
    if (QueryRows.needed(plan.data())) {
      return QueryRows.prepareBelow(
          spark.orElseThrow().context(),
          plan.data(),
          plan.tokenizer(),
          plan.sequenceLength(),
          root,
          pool);
    }
    return Preparation.prepareBelow(
        plan.data(), plan.tokenizer(), plan.sequenceLength(), root, pool);
  }

  /** Waits for Spark only when there is something to prepare. */
  private record LatePool(Supplier<WorkPool> pool) implements WorkPool {
    @Override
    public <I extends Serializable, O extends Serializable> List<O> map(
        String phase, List<I> inputs, Task<I, O> task) {
      return pool.get().map(phase, inputs, task);
    }
  }

  @Override
  public int experiment(Path file, PrintWriter out) throws Exception {
    Experiment experiment = Experiment.read(file, out);
    StopSwitch stop = new StopSwitch(out::println);
    stop.install();
    stop.arm();
    int code = experiment.run(new ChildStarter(experiment.folder().resolve("logs"), stop), stop);
    return stop.exitCode() == 0 ? code : stop.exitCode();
  }

  @Override
  public int dataCorpus(Path folder, PrintWriter out) {
    DataJobs.corpus(folder, out);
    return ExitCodes.DONE;
  }

  @Override
  public int dataPrepare(TrainPlan plan, PrintWriter out) {
    Progress progress = new Progress(out, Progress.Style.PLAIN, plan.steps());
    Path root = preparedBeside(new StorageLocation(RUNS.resolve("any").toString()));
    TokenShards shards;
    if (plan.launcher() == LauncherKind.SPARK) {
      try (SparkApplication spark = SparkApplication.start(plan.spark(), plan.ranks())) {
        shards = prepared(plan, Optional.of(spark), root, progress);
      }
    } else {
      shards = prepared(plan, Optional.empty(), root, progress);
    }
    progress.say("prepared set " + shards.folder());
    return ExitCodes.DONE;
  }

  @Override
  public int dataInspect(String path, PrintWriter out) {
    DataJobs.inspect(Path.of(path), out);
    return ExitCodes.DONE;
  }

  @Override
  public int generate(GenerateRequest request, PrintWriter out, PrintWriter err) {
    ModelSource source = request.model();
    Consumer<String> notices = line -> err.println("generate: " + line);
    try (PlacedModel<TextGenerator> placed =
        PlacedModel.open(
            ModelPlace.here(source.device()),
            notices,
            backend ->
                TextGenerator.open(source.folder(), source.context(), 1, backend, notices))) {
      out.print(request.prompt());
      out.flush();
      placed
          .model()
          .generate(
              request.prompt(),
              request.tokens(),
              request.sampling(),
              piece -> {
                out.print(piece);
                out.flush();
              });
      out.println();
    }
    return ExitCodes.DONE;
  }

  @Override
  public int eval(EvalRequest request, PrintWriter out, PrintWriter err) {
    new EvalReport(request, out, err).run();
    return ExitCodes.DONE;
  }

  @Override
  public int export(ExportRequest request, PrintWriter out) throws Exception {
    new ModelExport(request, out).run();
    return ExitCodes.DONE;
  }

  @Override
  public int diffRuns(String left, String right, PrintWriter out) throws Exception {
    RunDiff diff = RunDiff.of(Path.of(left), Path.of(right));
    diff.lines().forEach(out::println);
    return diff.same() ? ExitCodes.DONE : ExitCodes.DIFFERENT;
  }
}
