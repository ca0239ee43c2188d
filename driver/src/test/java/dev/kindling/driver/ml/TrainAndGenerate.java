package dev.kindling.driver.ml;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.length;

import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/** The example of README.md, which quotes the method's body. */
final class TrainAndGenerate {
  private TrainAndGenerate() {}

  static Dataset<Row> run(String input, String config, String runDir) {
    // README: from here
    SparkSession spark =
        SparkSession.builder()
            .master("local[2]")
            .config("spark.plugins", "dev.kindling.driver.plugin.KindlingPlugin")
            .getOrCreate();
    Dataset<Row> texts = spark.read().json(input).where(length(col("text")).gt(20));
    KindlingModel model =
        new KindlingTrainer()
            .setConfig(config)
            .setSets("ranks=2", "steps=20")
            .setTextCol("text")
            .setRunDir(runDir)
            .fit(texts);
    Dataset<Row> prompts = texts.selectExpr("id", "substring(text, 1, 20) as prompt");
    Dataset<Row> written =
        model.setInputCol("prompt").setOutputCol("story").setTokens(24).transform(prompts);
    KindlingModel judge = new KindlingModel().setPath(runDir).setTask("score");
    Dataset<Row> judged =
        judge.setPromptCol("prompt").setInputCol("story").setOutputCol("score").transform(written);
    return judged.orderBy(col("score").desc());
    // README: to here
  }
}
