package dev.kindling.driver.data;

import dev.kindling.worker.data.DataSpec;
import dev.kindling.worker.data.PinnedCorpus;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.TokenizerSpec;
import java.io.PrintWriter;
import java.nio.file.Path;
import org.apache.spark.api.java.JavaSparkContext;

/** What {@code data corpus | prepare | inspect} do once their words are understood. */
public final class DataJobs {
  private DataJobs() {}

  /**
   * Tokenises and packs on Spark into {@code target}; an equal set there is used as it is.
   *
   * @throws dev.kindling.worker.data.DataException for bad input, or another set in the way
   */
  public static TokenShards prepare(
      JavaSparkContext spark,
      DataSpec data,
      TokenizerSpec tokenizer,
      int sequenceLength,
      Path target,
      PrintWriter out) {
    SparkWorkPool pool = new SparkWorkPool(spark, new ProgressLines(out));
    return Preparation.prepare(data, tokenizer, sequenceLength, target, pool);
  }

  /** As {@link #prepare}, in a folder of {@code root} named after the set's fingerprint. */
  public static TokenShards prepareBelow(
      JavaSparkContext spark,
      DataSpec data,
      TokenizerSpec tokenizer,
      int sequenceLength,
      Path root,
      PrintWriter out) {
    SparkWorkPool pool = new SparkWorkPool(spark, new ProgressLines(out));
    return Preparation.prepareBelow(data, tokenizer, sequenceLength, root, pool);
  }

  /** Builds the pinned corpus and says what is in it. */
  public static void corpus(Path folder, PrintWriter out) {
    PinnedCorpus.Report report = PinnedCorpus.build(folder, new ProgressLines(out));
    out.printf(
        "%d projects, %d documents (%d equal ones left out)%n"
            + "train %.1f MB in %s%nvalidation %.1f MB in %s%ntext sha256 %s%n",
        PinnedCorpus.entries().size(),
        report.documents(),
        report.duplicates(),
        report.trainBytes() / 1e6,
        folder.resolve("train"),
        report.validationBytes() / 1e6,
        folder.resolve("validation"),
        report.textSha256());
    out.flush();
  }

  /** Verifies a prepared set and prints counts, samples and the commonest tokens. */
  public static void inspect(Path folder, PrintWriter out) {
    TokenShards shards = TokenShards.open(folder);
    shards.verify();
    new SetPage(shards).print(out);
    out.flush();
  }
}
