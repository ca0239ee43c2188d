package dev.kindling.driver.ml;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.concat;
import static org.apache.spark.sql.functions.lit;

import org.apache.spark.sql.SparkSession;

/** A program that fits once; the run folder is its argument. */
final class FitProgram {
  static final int STEPS = 200;

  /** Steps of some ten milliseconds, so that a kill falls between two of them. */
  private static final String CONFIG =
      """
      model: {type: llama, width: 64, layers: 2, heads: 2, context: 64}
      optimizer: {type: adamw, lr: 1e-3}
      steps: %d
      sequence_length: 32
      micro_batch: 128
      global_batch: 256
      ranks: 2
      threads: 1
      matmul: java
      checkpoint: {every_steps: 10}
      """;

  private FitProgram() {}

  public static void main(String[] arguments) {
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.plugins", "dev.kindling.driver.plugin.KindlingPlugin")
            .getOrCreate();
    KindlingModel model =
        new KindlingTrainer()
            .setConfig(CONFIG.formatted(STEPS))
            .setRunDir(arguments[0])
            .fit(
                spark
                    .range(0, 90, 1, 3)
                    .select(col("id"), concat(lit("a text of number "), col("id")).as("text")));
    System.out.println(
        "fitted "
            + model
                .setTokens(4)
                .transform(spark.range(3).select(lit("a text").as("text")))
                .where("length(output) > 0")
                .count());
    spark.stop();
  }
}
