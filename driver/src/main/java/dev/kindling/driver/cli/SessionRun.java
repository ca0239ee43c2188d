package dev.kindling.driver.cli;

import dev.kindling.driver.launch.Progress;
import dev.kindling.driver.launch.StopSwitch;
import dev.kindling.driver.launch.TrainingRun;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.CompanionFiles;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Optional;
import java.util.UUID;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * {@code train} inside a program that has a Spark context of its own: the same engine and run
 * folder, but signals stay the program's, the context outlives the run, and nothing is shown but
 * failures and warnings.
 *
 * @param spark context for ranks that are Spark tasks
 * @param err for failures and warnings
 */
public record SessionRun(JavaSparkContext spark, PrintWriter err) {
  private static final String DATASET = "dataset";

  /** Makes the files that the plan's data names. */
  @FunctionalInterface
  public interface Files {
    /**
     * @param runDir where nobody else works now
     */
    void write(StorageLocation runDir);
  }

  /**
   * Where the text of a run's dataset lies: in the run folder, or, since data is read from local
   * files, beside the prepared sets of run folders that are in another store.
   */
  public static Path texts(StorageLocation runDir) {
    return runDir
        .path()
        .map(run -> run.resolve(DATASET))
        .orElseGet(
            () -> Bodies.preparedBeside(runDir).resolveSibling(DATASET + "-" + word(runDir)));
  }

  private static String word(StorageLocation runDir) {
    byte[] text = runDir.text().getBytes(StandardCharsets.UTF_8);
    return UUID.nameUUIDFromBytes(text).toString();
  }

  /**
   * Blocks until the run is done.
   *
   * @param files called when the folder is this run's and its workers have their places
   * @throws dev.kindling.kernels.graph.PlanException if the folder holds a run, or is another's
   * @throws dev.kindling.worker.launch.AttemptFailedException as {@link TrainingRun#run}
   */
  public void train(TrainPlan plan, StorageLocation runDir, Files files) throws Exception {
    try (RunFolder folder = RunFolder.own(runDir, plan.spark().conf())) {
      RunRequest request = folder.start(plan, ProgressMode.OFF);
      Progress progress = new Progress(err, Progress.Style.OFF, plan.steps());
      request.warnings().forEach(progress::say);
      run(request, files, progress);
    }
  }

  private void run(RunRequest request, Files files, Progress progress) throws Exception {
    TrainPlan plan = request.plan();
    StorageLocation runDir = request.runDir();
    Progress quiet = new Progress(new PrintWriter(Writer.nullWriter()), Progress.Style.OFF, 0);
    TrainingRun.DataSource data =
        (p, application) -> {
          files.write(runDir);
          TrainPlan read = p.withModel(p.model(), CompanionFiles.tokenizer(runDir, p.tokenizer()));
          return Bodies.prepared(read, application, Bodies.preparedBeside(runDir), quiet).folder();
        };
    String configYaml = PlanReader.toYaml(plan.withoutSecrets());
    new WitnessedRun(
            request.files().folder(),
            configYaml,
            false,
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
                            false,
                            request.firstStep(),
                            witness),
                        data,
                        progress,
                        new StopSwitch(progress::say),
                        Optional.of(spark))
                    .run());
  }
}
