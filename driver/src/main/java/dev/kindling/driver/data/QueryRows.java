package dev.kindling.driver.data;

import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.sha2;
import static org.apache.spark.sql.functions.struct;
import static org.apache.spark.sql.functions.to_json;

import dev.kindling.worker.data.DataException;
import dev.kindling.worker.data.DataSpec;
import dev.kindling.worker.data.Mixture;
import dev.kindling.worker.data.MixturePart;
import dev.kindling.worker.data.Preparation;
import dev.kindling.worker.data.Source;
import dev.kindling.worker.data.Sql;
import dev.kindling.worker.data.SqlRows;
import dev.kindling.worker.data.TokenShards;
import dev.kindling.worker.data.TokenizerSpec;
import dev.kindling.worker.data.WorkPool;
import dev.kindling.worker.store.BuildFolder;
import dev.kindling.worker.store.Outage;
import dev.kindling.worker.store.OutageException;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkException;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Rows of a query as one file of JSON lines beside the prepared sets, from which the set is
 * prepared like any other. The file is as large as the text and is deleted afterwards.
 *
 * <p>Filters are the query's. Equal rows are found and all are sorted by the SHA-256 of their JSON,
 * both as stages of Spark; parts are then joined, since where Spark cuts them must not decide where
 * a task's documents end.
 */
public final class QueryRows {
  /** In the message of a job whose executors went away, or that was told to stop. */
  private static final List<String> LOST = List.of("ExecutorLost", "FetchFailed", "cancelled");

  private static final String LINES = "lines";
  private static final String HASH = "hash";

  private QueryRows() {}

  /**
   * The prepared set of a query, or of a mixture with queries in it, below {@code root}.
   *
   * @throws DataException for a query that cannot be run or has other columns
   * @throws IllegalStateException if a store cannot be reached, or Spark lost the job
   */
  public static TokenShards prepareBelow(
      JavaSparkContext spark,
      DataSpec data,
      TokenizerSpec tokenizer,
      int sequenceLength,
      Path root,
      WorkPool pool) {
    Path rows = root.toAbsolutePath().normalize().resolve("rows");
    BuildFolder.sweep(rows);
    try (BuildFolder folder = BuildFolder.beside(rows)) {
      DataSpec read = read(spark, data, folder.path());
      return Preparation.prepareBelow(read, tokenizer, sequenceLength, root, pool);
    } catch (IOException e) {
      throw new DataException(rows + ": cannot be written: " + e, e);
    }
  }

  /** As above in a Spark of its own on this machine, for runs whose ranks Spark does not start. */
  public static TokenShards prepareBelow(
      DataSpec data,
      TokenizerSpec tokenizer,
      int sequenceLength,
      Path root,
      WorkPool.Progress progress) {
    SparkConf conf =
        new SparkConf()
            .setMaster("local[*]")
            .setAppName("kindling data")
            .set("spark.ui.enabled", "false");
    try (JavaSparkContext spark = new JavaSparkContext(conf)) {
      SparkWorkPool pool = new SparkWorkPool(spark, progress);
      return prepareBelow(spark, data, tokenizer, sequenceLength, root, pool);
    }
  }

  /** Whether the data is read by Spark before it can be prepared. */
  public static boolean needed(DataSpec data) {
    return data instanceof Sql
        || (data instanceof Mixture mixture
            && mixture.parts().stream().anyMatch(part -> part.data() instanceof Sql));
  }

  private static DataSpec read(JavaSparkContext spark, DataSpec data, Path folder)
      throws IOException {
    if (data instanceof Sql sql) {
      return sql.over(write(spark, sql, folder).toString());
    }
    if (!(data instanceof Mixture mixture)) {
      return data;
    }
    List<MixturePart> parts = new ArrayList<>();
    for (MixturePart part : mixture.parts()) {
      Path own = Files.createDirectory(folder.resolve("part-" + parts.size()));
      Source source =
          part.data() instanceof Sql sql
              ? sql.over(write(spark, sql, own).toString())
              : part.data();
      parts.add(new MixturePart(part.weight(), source));
    }
    return new Mixture(parts);
  }

  private static Path write(JavaSparkContext spark, Sql sql, Path folder) throws IOException {
    SparkSession session =
        SparkSession.builder().config(spark.getConf()).getOrCreate().newSession();
    Path parts = folder.resolve("parts");
    try {
      sql.views().forEach((name, path) -> view(session, name, path));
      Dataset<Row> found = session.sql(sql.query());
      Dataset<Row> lines = found.select(to_json(struct(columns(sql, found))).as(LINES));
      lines = lines.withColumn(HASH, sha2(col(LINES).cast("binary"), 256));
      if (sql.deduplicate()) {
        lines = lines.dropDuplicates(new String[] {HASH});
      }
      lines.orderBy(col(HASH)).select(col(LINES)).write().text(parts.toUri().toString());
    } catch (DataException e) {
      throw e;
    } catch (Exception e) {
      // Spark's AnalysisException is checked in Java and declared nowhere.
      throw fault(e);
    }
    return joined(parts, folder.resolve("rows.jsonl"));
  }

  /**
   * What a query that failed throws: a fault of the data, unless a store or an executor was lost,
   * of which the query knows nothing.
   */
  static RuntimeException fault(Exception e) {
    Throwable root = root(e);
    String message = String.valueOf(root.getMessage());
    boolean lost = root instanceof SparkException && LOST.stream().anyMatch(message::contains);
    if (!lost && !Outage.isBehind(e)) {
      return new DataException("data.query: " + first(e), e);
    }
    if (root instanceof InterruptedException) {
      Thread.currentThread().interrupt();
    }
    return new OutageException("data.query: the Spark job failed: " + first(e), e);
  }

  private static Throwable root(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }

  /** Spark's messages begin with a blank line, or with where a task failed. */
  private static String first(Exception e) {
    Throwable cause = root(e);
    return String.valueOf(cause.getMessage())
        .lines()
        .filter(line -> !line.isBlank())
        .findFirst()
        .orElse(cause.toString());
  }

  private static void view(SparkSession session, String name, String path) {
    String lower = path.toLowerCase(Locale.ROOT);
    String format =
        lower.endsWith(".json") || lower.endsWith(".jsonl")
            ? "json"
            : lower.endsWith(".csv") ? "csv" : lower.endsWith(".orc") ? "orc" : "parquet";
    session.read().format(format).option("header", "true").load(path).createOrReplaceTempView(name);
  }

  private static Column[] columns(Sql sql, Dataset<Row> found) {
    List<String> present = Arrays.asList(found.columns());
    if (sql.rows() == SqlRows.TEXT) {
      if (!present.contains(sql.column())) {
        throw new DataException(
            "data.column: expected \"" + sql.column() + "\" in the query, found " + present);
      }
      return new Column[] {col("`" + sql.column() + "`").as("text")};
    }
    if (present.contains("messages")) {
      return new Column[] {col("messages")};
    }
    if (present.contains("prompt") && present.contains("completion")) {
      return new Column[] {col("prompt"), col("completion")};
    }
    throw new DataException(
        "data.query: expected columns \"messages\" or \"prompt\" and \"completion\", found "
            + present);
  }

  private static Path joined(Path parts, Path file) throws IOException {
    try (Stream<Path> list = Files.list(parts);
        OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 18)) {
      for (Path part :
          list.filter(path -> path.getFileName().toString().startsWith("part-"))
              .sorted()
              .toList()) {
        Files.copy(part, out);
      }
    }
    if (Files.size(file) == 0) {
      throw new DataException("data.query: expected rows, found none");
    }
    return file;
  }
}
