package dev.kindling.driver.ml;

import dev.kindling.configs.yaml.ConfigDocument;
import dev.kindling.driver.cli.SessionRun;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.data.Jsonl;
import dev.kindling.worker.plan.PlanReader;
import dev.kindling.worker.plan.TrainPlan;
import dev.kindling.worker.pretrained.PretrainedPlan;
import dev.kindling.worker.store.Json;
import dev.kindling.worker.store.StorageLocation;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.StringArrayParam;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.types.StructType;

/**
 * {@code train} as a stage of Spark ML: the text of a column is written to the run folder (of a run
 * folder in another store: to the working folder) as JSON lines and prepared, then the
 * configuration is trained on it, in the session that the dataset is of; the result is the {@link
 * KindlingModel} of the run. The session goes on afterwards, and may train again.
 *
 * <p>{@code launcher: spark}, the default, wants {@code
 * spark.plugins=dev.kindling.driver.plugin.KindlingPlugin} among the session's settings and a free
 * slot for each rank. A signal ends the program as always, a kill too; {@code kindling resume} goes
 * on from the last checkpoint and ends with the bits of an undisturbed run.
 */
public final class KindlingTrainer extends Estimator<KindlingModel>
    implements DefaultParamsWritable {
  private static final long serialVersionUID = 1L;

  private final String uid;
  private final Param<String> config;
  private final StringArrayParam sets;
  private final Param<String> runDir;
  private final Param<String> textCol;

  public KindlingTrainer() {
    this(Identifiable$.MODULE$.randomUID("kindlingTrainer"));
  }

  /** For Spark ML, which copies and reads stages through it. */
  public KindlingTrainer(String uid) {
    // Params ask their parent for its uid, so they cannot be initialised before it.
    this.uid = uid;
    config =
        new Param<>(
            this,
            "config",
            "configuration: path of a YAML file, or YAML text of several lines; its data section,"
                + " if any, gives way to the dataset");
    sets =
        new StringArrayParam(
            this,
            "sets",
            "path=value assignments laid over the configuration, as --set; data.mask_documents and"
                + " data.validation_fraction among them");
    runDir = new Param<>(this, "runDir", "folder of the run, a path or URI; it must hold no run");
    textCol = new Param<>(this, "textCol", "column of text, one document a row; null is left out");
    setDefault(sets, new String[0]);
    setDefault(textCol, "text");
  }

  /** Reads a stage that was saved. */
  public static MLReader<KindlingTrainer> read() {
    return new DefaultParamsReader<>();
  }

  /** As {@link #read}. */
  public static KindlingTrainer load(String path) {
    return read().load(path);
  }

  /**
   * Blocks until the run is done.
   *
   * @throws IllegalArgumentException as {@link #transformSchema}
   * @throws dev.kindling.configs.yaml.ConfigException with every error of the configuration
   * @throws PlanException if the run folder holds a run
   * @throws dev.kindling.worker.data.DataException if there is too little text
   * @throws dev.kindling.worker.launch.AttemptFailedException if the session cannot hold the ranks,
   *     or the run fails for good
   */
  @Override
  public KindlingModel fit(Dataset<?> dataset) {
    transformSchema(dataset.schema());
    StorageLocation folder = StorageLocation.of(getOrDefault(runDir)).absolute();
    Path texts = SessionRun.texts(folder);
    TrainPlan plan = plan(texts);
    JavaSparkContext spark =
        JavaSparkContext.fromSparkContext(dataset.sparkSession().sparkContext());
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    try {
      new SessionRun(spark, err)
          .train(plan, folder, run -> DatasetFiles.write(dataset, getOrDefault(textCol), texts));
    } catch (RuntimeException e) {
      throw e;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while training " + folder, e);
    } catch (Exception e) {
      throw new IllegalStateException("training " + folder + " failed: " + e.getMessage(), e);
    }
    return new KindlingModel().setPath(folder.text()).setParent(this);
  }

  private TrainPlan plan(Path texts) {
    String text = getOrDefault(config);
    ConfigDocument document =
        text.indexOf('\n') < 0
            ? ConfigDocument.read(Path.of(text))
            : ConfigDocument.parse(text, "config");
    List<String> assignments = new ArrayList<>();
    String path = Json.of(texts.toString()).write();
    assignments.add(
        "data={type: jsonl, field: %s, paths: [%s]}".formatted(DatasetFiles.FIELD, path));
    assignments.addAll(List.of(getOrDefault(sets)));
    TrainPlan plan = PretrainedPlan.describe(PlanReader.read(document, assignments)).value();
    boolean ours =
        plan.data() instanceof Jsonl jsonl && jsonl.paths().equals(List.of(texts.toString()));
    if (!ours) {
      throw new PlanException(
          "sets: expected no other data than the dataset, found " + plan.data());
    }
    return plan;
  }

  /**
   * The schema as it is: what the model adds is for its own params to say.
   *
   * @throws IllegalArgumentException if config or runDir is not set, or the column of text is
   *     missing or holds something else
   */
  @Override
  public StructType transformSchema(StructType schema) {
    for (Param<String> needed : List.of(config, runDir)) {
      if (!isDefined(needed)) {
        throw new IllegalArgumentException(
            needed.name() + ": expected " + needed.doc() + "; found none");
      }
    }
    TextColumns.index(schema, "textCol", getOrDefault(textCol));
    return schema;
  }

  @Override
  public KindlingTrainer copy(ParamMap extra) {
    return defaultCopy(extra);
  }

  @Override
  public String uid() {
    return uid;
  }

  public Param<String> config() {
    return config;
  }

  public StringArrayParam sets() {
    return sets;
  }

  public Param<String> runDir() {
    return runDir;
  }

  public Param<String> textCol() {
    return textCol;
  }

  /** Path of a YAML file, or YAML text of several lines. */
  public KindlingTrainer setConfig(String value) {
    set(config, value);
    return this;
  }

  public KindlingTrainer setSets(String... values) {
    set(sets, values);
    return this;
  }

  public KindlingTrainer setRunDir(String value) {
    set(runDir, value);
    return this;
  }

  public KindlingTrainer setTextCol(String value) {
    set(textCol, value);
    return this;
  }
}
