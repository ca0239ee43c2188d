package dev.kindling.driver.ml;

import static org.apache.spark.sql.functions.col;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kindling.configs.yaml.ConfigException;
import dev.kindling.driver.cli.Bodies;
import dev.kindling.driver.cli.Kindling;
import dev.kindling.kernels.backend.Backend;
import dev.kindling.kernels.backend.CpuOptions;
import dev.kindling.kernels.backend.MatmulKind;
import dev.kindling.kernels.graph.PlanException;
import dev.kindling.worker.checkpoint.CheckpointException;
import dev.kindling.worker.data.DataException;
import dev.kindling.worker.evaluate.TextScorer;
import dev.kindling.worker.event.report.MetricsLog;
import dev.kindling.worker.generate.Sampling;
import dev.kindling.worker.generate.TextGenerator;
import dev.kindling.worker.launch.AttemptFailedException;
import dev.kindling.worker.store.BuildFolder;
import dev.kindling.worker.store.StorageLocation;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** One session, which trains twice, runs ETL around that, and puts the models to work. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class KindlingTrainerTest {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
      optimizer: {type: adamw, lr: 1e-2}
      checkpoint: {every_steps: 5}
      steps: 10
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      """;

  private static final StructType SCHEMA =
      new StructType().add("id", DataTypes.IntegerType).add("text", DataTypes.StringType);

  @TempDir static Path folder;
  private SparkSession spark;
  private KindlingModel model;

  @BeforeAll
  void trainTwice() {
    spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.plugins", "dev.kindling.driver.plugin.KindlingPlugin")
            .getOrCreate();
    spark.sparkContext().setJobGroup("etl", "the program's own", false);
    assertThat(texts(40, 3).count()).isEqualTo(40);
    model = trainer("first").fit(texts(40, 3));
    assertThat(spark.sparkContext().getLocalProperty("spark.jobGroup.id")).isEqualTo("etl");
    assertThat(texts(40, 2).groupBy("text").count().count()).isEqualTo(40);
    trainer("second").setSets("seed=2").fit(texts(40, 2));
    assertThat(texts(7, 1).filter(col("id").gt(3)).count()).isEqualTo(3);
  }

  @AfterAll
  void stop() {
    spark.stop();
  }

  private KindlingTrainer trainer(String run) {
    return new KindlingTrainer().setConfig(CONFIG).setRunDir(run(run));
  }

  private static String run(String name) {
    return folder.resolve("runs").resolve(name).toString();
  }

  private Dataset<Row> texts(int count, int partitions) {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < count; id++) {
      rows.add(RowFactory.create(id, "line " + id + " of a text that repeats itself, and again"));
    }
    return spark.createDataFrame(rows, SCHEMA).repartition(partitions);
  }

  private Dataset<Row> prompts() {
    List<Row> rows = new ArrayList<>();
    for (int id = 0; id < 10; id++) {
      String text = id == 4 ? null : "line ".repeat(id * 3) + id;
      rows.add(RowFactory.create(id, text));
    }
    return spark.createDataFrame(rows, SCHEMA);
  }

  private static Map<Integer, Object> column(Dataset<Row> rows, String name) {
    return rows.collectAsList().stream()
        .collect(
            Collectors.toMap(
                row -> row.getInt(0), row -> String.valueOf(row.get(row.fieldIndex(name)))));
  }

  @Test
  void theRunFoldersHoldWhatTrainLeavesThere() throws IOException {
    for (String name : List.of("first", "second")) {
      Path run = Path.of(run(name));
      assertThat(MetricsLog.read(run.resolve("metrics.jsonl")).byStep()).hasSize(10);
      try (Stream<Path> files = Files.walk(run.resolve("checkpoints"))) {
        assertThat(files.filter(Files::isRegularFile).count()).isGreaterThan(2);
      }
      assertThat(run.resolve("report.html")).exists();
    }
    assertThat(Files.readAllBytes(Path.of(run("first")).resolve("dataset/part-00000.jsonl")))
        .isEqualTo(Files.readAllBytes(Path.of(run("second")).resolve("dataset/part-00000.jsonl")));
  }

  @Test
  void aRowGetsWhatGenerateGivesItAloneHoweverRowsAreCut() {
    Map<Integer, Object> alone = new TreeMap<>();
    try (Backend backend =
            Backend.cpu(
                new CpuOptions(Runtime.getRuntime().availableProcessors(), MatmulKind.OPENBLAS));
        TextGenerator generator =
            TextGenerator.open(
                new StorageLocation(run("first")), Optional.empty(), 1, backend, line -> {})) {
      for (Row row : prompts().collectAsList()) {
        alone.put(
            row.getInt(0),
            row.isNullAt(1)
                ? "null"
                : generator.generate(row.getString(1), 12, Sampling.of(0.8, 5)));
      }
    }
    assertThat(alone.values()).doesNotHaveDuplicates();
    for (int batch : new int[] {1, 4}) {
      KindlingModel stage = model.copy(new ParamMap()).setTokens(12).setSeed(5);
      stage.setBatchSize(batch);
      assertThat(column(stage.transform(prompts().coalesce(1)), "output")).isEqualTo(alone);
      assertThat(column(stage.transform(prompts().repartition(3)), "output")).isEqualTo(alone);
    }
    Dataset<Row> kept = model.copy(new ParamMap()).setTokens(2).transform(prompts().coalesce(1));
    assertThat(kept.select("id").as(Encoders.INT()).collectAsList())
        .isEqualTo(IntStream.range(0, 10).boxed().toList());
  }

  @Test
  void scoresAreThoseOfTheScorer() {
    KindlingModel judge = new KindlingModel().setPath(run("first")).setTask("score");
    Dataset<Row> scored = judge.setOutputCol("score").transform(prompts());
    KindlingModel other = new KindlingModel().setPath(run("second")).setTask("perplexity");
    Dataset<Row> both = other.setOutputCol("perplexity").transform(scored);
    Dataset<Row> prompted = prompts().selectExpr("id", "text", "'line 1' as before");
    Map<Integer, Object> continued =
        column(judge.setPromptCol("before").transform(prompted), "score");
    try (Backend backend =
            Backend.cpu(
                new CpuOptions(Runtime.getRuntime().availableProcessors(), MatmulKind.OPENBLAS));
        TextScorer first =
            TextScorer.open(new StorageLocation(run("first")), Optional.empty(), backend);
        TextScorer second =
            TextScorer.open(new StorageLocation(run("second")), Optional.empty(), backend)) {
      for (Row row : both.collectAsList()) {
        if (row.getInt(0) == 4) {
          assertThat(row.isNullAt(2) && row.isNullAt(3)).isTrue();
          continue;
        }
        String text = row.getString(1);
        assertThat(row.getDouble(2)).isEqualTo(-first.text(text).mean());
        assertThat(row.getDouble(3))
            .isEqualTo(Math.exp(second.text(text).mean()))
            .isNotEqualTo(Math.exp(-row.getDouble(2)));
        assertThat(continued.get(row.getInt(0)))
            .isEqualTo(String.valueOf(-first.continuation("line 1", text).mean()));
      }
    }
  }

  @Test
  void aModelDirectoryGivesWhatItsRunGivesAndANewOneInItsPlaceIsSeen() throws Exception {
    Path directory = folder.resolve("exported");
    Dataset<Row> few = prompts().where("id < 2");
    List<Map<Integer, Object>> texts = new ArrayList<>();
    for (String name : List.of("first", "second")) {
      BuildFolder.delete(directory);
      int code =
          Kindling.execute(
              new Bodies(),
              new PrintWriter(Writer.nullWriter()),
              new PrintWriter(Writer.nullWriter()),
              "export",
              run(name),
              "--to",
              directory.toString());
      assertThat(code).isZero();
      KindlingModel ofRun = new KindlingModel().setPath(run(name)).setTokens(12);
      KindlingModel ofDirectory = new KindlingModel().setPath(directory.toString()).setTokens(12);
      Map<Integer, Object> expected = column(ofRun.transform(few), "output");
      assertThat(column(ofDirectory.transform(few), "output")).isEqualTo(expected);
      texts.add(expected);
    }
    assertThat(texts.get(0)).isNotEqualTo(texts.get(1));
  }

  @Test
  void stagesAreSavedAndRead() throws IOException {
    String saved = folder.resolve("saved").toString();
    KindlingModel told = model.copy(new ParamMap()).setTopK(7).setTemperature(0.5);
    told.setDevice("cpu").setContext(16);
    assertThat(told.parent()).isSameAs(model.parent());
    told.save(saved + "/model");
    KindlingModel read = KindlingModel.load(saved + "/model");
    assertThat(read.explainParams())
        .isEqualTo(told.explainParams())
        .contains("current: 7", "current: cpu", "current: 16");
    trainer("third").setSets("steps=3", "seed=4").save(saved + "/trainer");
    KindlingTrainer trainer = KindlingTrainer.load(saved + "/trainer");
    assertThat(trainer.getOrDefault(trainer.sets())).containsExactly("steps=3", "seed=4");
    assertThat(trainer.getOrDefault(trainer.config())).isEqualTo(CONFIG);
  }

  @Test
  void badColumnsAndPathsAreNamed() {
    assertThatThrownBy(() -> new KindlingModel().transform(prompts()))
        .hasMessage("path: expected a model directory or run folder, found none");
    KindlingModel stage = new KindlingModel().setPath(run("first"));
    assertThatThrownBy(() -> stage.setInputCol("txt").transform(prompts()))
        .hasMessage("inputCol: expected one of the columns [id, text], found txt");
    assertThatThrownBy(() -> stage.setInputCol("id").transform(prompts()))
        .hasMessage("inputCol: expected a column of strings, found id of type int");
    stage.setInputCol("text");
    assertThatThrownBy(() -> stage.setOutputCol("id").transform(prompts()))
        .hasMessage("outputCol: expected a new column, found id");
    stage.setOutputCol("output");
    assertThatThrownBy(() -> stage.setPromptCol("text").transform(prompts()))
        .hasMessageStartingWith("promptCol: expected none with task generate");
    assertThatThrownBy(() -> stage.setTask("sing")).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> stage.setDevice("gpu")).isInstanceOf(IllegalArgumentException.class);
    String nothing = folder.resolve("nothing").toString();
    assertThatThrownBy(() -> new KindlingModel().setPath(nothing).transform(prompts()))
        .isInstanceOf(CheckpointException.class)
        .hasMessageStartingWith(nothing + ": expected a run folder with a checkpoint or");
    assertThatThrownBy(() -> trainer("x").setTextCol("txt").fit(prompts()))
        .hasMessage("textCol: expected one of the columns [id, text], found txt");
    assertThatThrownBy(() -> new KindlingTrainer().setConfig(CONFIG).fit(prompts()))
        .hasMessageStartingWith("runDir: expected folder of the run");
  }

  @Test
  void badConfigurationsLeaveNoRun() {
    assertThatThrownBy(() -> trainer("bad").setSets("stepz=3").fit(prompts()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("stepz");
    assertThatThrownBy(() -> trainer("bad").setSets("data={type: text, paths: [a]}").fit(prompts()))
        .isInstanceOf(PlanException.class)
        .hasMessageStartingWith("sets: expected no other data than the dataset");
    assertThat(Path.of(run("bad"))).doesNotExist();
    assertThatThrownBy(() -> trainer("first").fit(texts(40, 2)))
        .isInstanceOf(PlanException.class)
        .hasMessageContaining("already holds a run");
    assertThatThrownBy(
            () -> trainer("wide").setSets("ranks=8", "global_batch=512").fit(texts(40, 2)))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining("needs 8 slots");
    assertThatThrownBy(
            () ->
                trainer("other")
                    .setSets("spark={master: \"local[3]\", conf: {spark.ui.enabled: \"true\"}}")
                    .fit(texts(40, 2)))
        .isInstanceOf(AttemptFailedException.class)
        .hasMessageContaining(
            "spark.master: the configuration says local[3], the session that runs has local[2]")
        .hasMessageContaining("spark.ui.enabled: the configuration says true");
    assertThatThrownBy(() -> trainer("empty").fit(prompts().where("id = 4")))
        .isInstanceOf(DataException.class)
        .hasMessageStartingWith("textCol: expected rows with text in text, found none");
  }

  @Test
  void theExampleOfTheReadmeRuns() throws IOException {
    Path input = folder.resolve("input.jsonl");
    List<String> lines = new ArrayList<>();
    for (int id = 0; id < 30; id++) {
      lines.add(
          "{\"id\": %d, \"text\": \"tale %d, once upon a time, and so on\"}".formatted(id, id));
    }
    lines.add("{\"id\": 30, \"text\": \"too short\"}");
    Files.write(input, lines, StandardCharsets.UTF_8);
    Path config = Files.writeString(folder.resolve("stories.yaml"), CONFIG);
    List<Row> judged =
        TrainAndGenerate.run(input.toString(), config.toString(), run("stories")).collectAsList();
    assertThat(judged).hasSize(30);
    assertThat(judged.get(0).getDouble(3)).isGreaterThan(judged.get(29).getDouble(3));
  }
}
