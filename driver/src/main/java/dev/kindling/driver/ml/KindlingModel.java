package dev.kindling.driver.ml;

import dev.kindling.driver.launch.DeviceChoice;
import dev.kindling.worker.store.StorageLocation;
import java.util.Arrays;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.StructType;

/**
 * A language model as a stage of Spark ML: adds a column with the continuation of a column of text,
 * its score, or its perplexity. Each executor JVM loads the model once; what a row gets depends on
 * the row, the params and the model, not on the rows beside it (for {@code task} generate with a
 * {@code batchSize} above 1 up to the rounding of matrix products).
 *
 * <p>A row with a null in a column that is read gets null, and so does a text without a token to
 * score. Of a prompt that is longer than the model's context the end is read.
 */
public final class KindlingModel extends Model<KindlingModel> implements DefaultParamsWritable {
  private static final long serialVersionUID = 1L;
  private static final int DEFAULT_TOKENS = 200;
  private static final double DEFAULT_TEMPERATURE = 0.8;
  private static final int DEFAULT_BATCH = 8;

  private final String uid;
  private final Param<String> path;
  private final Param<String> task;
  private final Param<String> inputCol;
  private final Param<String> promptCol;
  private final Param<String> outputCol;
  private final IntParam tokens;
  private final DoubleParam temperature;
  private final IntParam topK;
  private final DoubleParam topP;
  private final LongParam seed;
  private final IntParam batchSize;
  private final IntParam context;
  private final Param<String> device;

  public KindlingModel() {
    this(Identifiable$.MODULE$.randomUID("kindlingModel"));
  }

  /** For Spark ML, which copies and reads stages through it. */
  public KindlingModel(String uid) {
    // Params ask their parent for its uid, so they cannot be initialised before it.
    this.uid = uid;
    path = new Param<>(this, "path", "Hugging Face model directory or run folder: a path or a URI");
    task =
        new Param<>(
            this,
            "task",
            "generate (text that follows), score (mean log-probability of a token, in nats) or"
                + " perplexity",
            ParamValidators.inArray(TextTask.words()));
    inputCol = new Param<>(this, "inputCol", "column of text to go on from, or to score");
    promptCol =
        new Param<>(
            this,
            "promptCol",
            "column of prompts behind which inputCol is scored; without it a text is scored as a"
                + " document. Not for task generate");
    outputCol = new Param<>(this, "outputCol", "column to add");
    tokens = new IntParam(this, "tokens", "tokens to add at most", ParamValidators.gtEq(0));
    temperature =
        new DoubleParam(
            this, "temperature", "0 picks the most likely token", ParamValidators.gtEq(0));
    topK =
        new IntParam(
            this, "topK", "only the k most likely tokens; 0: all", ParamValidators.gtEq(0));
    topP =
        new DoubleParam(
            this,
            "topP",
            "only the most likely tokens that together reach this probability",
            ParamValidators.inRange(0, 1, false, true));
    seed = new LongParam(this, "seed", "same seed and same text, same continuation");
    batchSize =
        new IntParam(
            this, "batchSize", "rows that are worked on together", ParamValidators.gtEq(1));
    context =
        new IntParam(
            this,
            "context",
            "tokens that the model sees at once; 0: the sequence length of a run, of a model"
                + " directory its context up to 1024",
            ParamValidators.gtEq(0));
    device =
        new Param<>(
            this,
            "device",
            "auto (the GPU that Spark gave to task or executor, in local mode the first one, if it"
                + " is usable for the model; else the CPU), cpu or cuda",
            ParamValidators.inArray(DeviceChoice.words()));
    setDefaults();
  }

  private void setDefaults() {
    setDefault(task, TextTask.GENERATE.word());
    setDefault(inputCol, "text");
    setDefault(outputCol, "output");
    setDefault(tokens, DEFAULT_TOKENS);
    setDefault(temperature, DEFAULT_TEMPERATURE);
    setDefault(topK, 0);
    setDefault(topP, 1.0);
    setDefault(seed, 1L);
    setDefault(batchSize, DEFAULT_BATCH);
    setDefault(context, 0);
    setDefault(device, DeviceChoice.AUTO.word());
  }

  /** Reads a stage that was saved: its params, of which the path must still lead to the model. */
  public static MLReader<KindlingModel> read() {
    return new DefaultParamsReader<>();
  }

  /** As {@link #read}. */
  public static KindlingModel load(String path) {
    return read().load(path);
  }

  /**
   * @throws dev.kindling.worker.checkpoint.CheckpointException if the path holds no model
   * @throws IllegalArgumentException as {@link #transformSchema}
   */
  @Override
  public Dataset<Row> transform(Dataset<?> dataset) {
    StructType schema = transformSchema(dataset.schema());
    int text = TextColumns.index(dataset.schema(), "inputCol", getOrDefault(inputCol));
    int prompt =
        isSet(promptCol)
            ? TextColumns.index(dataset.schema(), "promptCol", getOrDefault(promptCol))
            : -1;
    return dataset
        .toDF()
        .mapPartitions(new RowBatches(request(), text, prompt), Encoders.row(schema));
  }

  private ModelRequest request() {
    StorageLocation folder = StorageLocation.of(getOrDefault(path)).absolute();
    return new ModelRequest(
        folder.text(),
        ModelVersion.of(folder),
        TextTask.of(getOrDefault(task)),
        (int) getOrDefault(tokens),
        (double) getOrDefault(temperature),
        (int) getOrDefault(topK),
        (double) getOrDefault(topP),
        (long) getOrDefault(seed),
        (int) getOrDefault(batchSize),
        (int) getOrDefault(context),
        DeviceChoice.of(getOrDefault(device)));
  }

  /**
   * The schema with the new column.
   *
   * @throws IllegalArgumentException if no path is set, a column to read is missing or no text, or
   *     the one to add is there
   */
  @Override
  public StructType transformSchema(StructType schema) {
    if (!isDefined(path)) {
      throw new IllegalArgumentException(
          "path: expected a model directory or run folder, found none");
    }
    TextTask made = TextTask.of(getOrDefault(task));
    TextColumns.index(schema, "inputCol", getOrDefault(inputCol));
    if (isSet(promptCol)) {
      if (made == TextTask.GENERATE) {
        throw new IllegalArgumentException(
            "promptCol: expected none with task generate (inputCol holds the prompts), found "
                + getOrDefault(promptCol));
      }
      TextColumns.index(schema, "promptCol", getOrDefault(promptCol));
    }
    String added = getOrDefault(outputCol);
    if (Arrays.asList(schema.fieldNames()).contains(added)) {
      throw new IllegalArgumentException("outputCol: expected a new column, found " + added);
    }
    return schema.add(added, made.type(), true);
  }

  @Override
  public KindlingModel copy(ParamMap extra) {
    KindlingModel copied = defaultCopy(extra);
    return copied.setParent(parent());
  }

  @Override
  public String uid() {
    return uid;
  }

  public Param<String> path() {
    return path;
  }

  public Param<String> task() {
    return task;
  }

  public Param<String> inputCol() {
    return inputCol;
  }

  public Param<String> promptCol() {
    return promptCol;
  }

  public Param<String> outputCol() {
    return outputCol;
  }

  public IntParam tokens() {
    return tokens;
  }

  public DoubleParam temperature() {
    return temperature;
  }

  public IntParam topK() {
    return topK;
  }

  public DoubleParam topP() {
    return topP;
  }

  public LongParam seed() {
    return seed;
  }

  public IntParam batchSize() {
    return batchSize;
  }

  public IntParam context() {
    return context;
  }

  public Param<String> device() {
    return device;
  }

  public KindlingModel setPath(String value) {
    return with(path, value);
  }

  /** One of {@code generate}, {@code score}, {@code perplexity}. */
  public KindlingModel setTask(String value) {
    return with(task, value);
  }

  public KindlingModel setInputCol(String value) {
    return with(inputCol, value);
  }

  public KindlingModel setPromptCol(String value) {
    return with(promptCol, value);
  }

  public KindlingModel setOutputCol(String value) {
    return with(outputCol, value);
  }

  public KindlingModel setTokens(int value) {
    return with(tokens, value);
  }

  public KindlingModel setTemperature(double value) {
    return with(temperature, value);
  }

  public KindlingModel setTopK(int value) {
    return with(topK, value);
  }

  public KindlingModel setTopP(double value) {
    return with(topP, value);
  }

  public KindlingModel setSeed(long value) {
    return with(seed, value);
  }

  public KindlingModel setBatchSize(int value) {
    return with(batchSize, value);
  }

  /** Tokens that the model sees at once; 0 for the default. */
  public KindlingModel setContext(int value) {
    return with(context, value);
  }

  /** One of {@code auto}, {@code cpu}, {@code cuda}. */
  public KindlingModel setDevice(String value) {
    return with(device, value);
  }

  private <T> KindlingModel with(Param<T> param, T value) {
    set(param, value);
    return this;
  }
}
