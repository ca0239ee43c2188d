package dev.kindling.driver.ml;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.lit;

import dev.kindling.driver.launch.DriverProcess;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** A program with executor JVMs of its own: counts, trains, counts, trains, generates, scores. */
final class SessionProgram {
  private static final String CONFIG =
      """
      model: {type: llama, width: 32, layers: 1, heads: 2, context: 64}
      optimizer: {type: adamw, lr: 1e-2}
      steps: 6
      sequence_length: 32
      micro_batch: 64
      global_batch: 128
      ranks: 2
      threads: 1
      matmul: java
      """;

  private SessionProgram() {}

  public static void main(String[] arguments) {
    SparkSession spark =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .config("spark.executor.memory", "512m")
            .config("spark.executor.extraClassPath", DriverProcess.ownClasses())
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.plugins", "dev.kindling.driver.plugin.KindlingPlugin")
            .getOrCreate();
    Dataset<Row> texts =
        spark
            .range(0, 60, 1, 3)
            .select(col("id"), concat(lit("a text of number "), col("id")).as("text"));
    System.out.println("first " + texts.count());
    for (String run : new String[] {"one", "two"}) {
      KindlingModel model =
          new KindlingTrainer()
              .setConfig(CONFIG)
              .setRunDir(arguments[0] + "/runs/" + run)
              .fit(texts);
      System.out.println("between " + texts.where("id > 9").count());
      Dataset<Row> written = model.setTokens(8).setOutputCol("story").transform(texts);
      Dataset<Row> judged =
          new KindlingModel()
              .setPath(arguments[0] + "/runs/" + run)
              .setTask("perplexity")
              .setInputCol("story")
              .transform(written.repartition(2));
      System.out.println(run + " " + judged.where("output > 1").count());
    }
    spark.stop();
  }
}
