package dev.kindling.worker.data;

import dev.kindling.kernels.graph.Expectation;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Rows of a Spark SQL query; what is to be left out is left out by its {@code WHERE}. The driver
 * runs it, in the session of the run or in a local one. Rows are put in the order of the SHA-256 of
 * their content, whatever order and partitions they come in, so {@code ORDER BY} means nothing and
 * equal rows give an equal set.
 *
 * @param query Spark SQL over the views and whatever tables the session knows
 * @param views name to path of files that the query reads by that name: .json or .jsonl, .csv (with
 *     a header), .orc, all else Parquet
 * @param rows text | chat: what a row is
 * @param column the column of a text
 * @param deduplicate keep one of rows with equal content
 * @param maskDocuments attention and targets stay inside one document; always so for chat
 * @param template the chat template, as in type chat
 * @param tooLong what becomes of an example with more than sequence_length + 1 tokens
 * @param badLines what a row does that is no document
 * @param validationFraction share of rows held out, picked by content hash
 */
public record Sql(
    String query,
    Map<String, String> views,
    SqlRows rows,
    String column,
    boolean deduplicate,
    boolean maskDocuments,
    Optional<String> template,
    TooLong tooLong,
    BadLines badLines,
    double validationFraction)
    implements Source {
  public Sql {
    views = Map.copyOf(views);
    maskDocuments |= rows == SqlRows.CHAT;
    Expectation e = new Expectation();
    e.notEmpty("query", query, "a query");
    e.notEmpty("column", column, "the name of a column");
    HeldOut.check(e, List.of(), validationFraction);
    e.orThrow();
  }

  /** The same settings over the rows as JSON lines. */
  public Source over(String file) {
    return rows == SqlRows.TEXT
        ? new Jsonl(List.of(file), "text", List.of(), validationFraction, maskDocuments, badLines)
        : new Chat(List.of(file), template, tooLong, badLines, List.of(), validationFraction);
  }

  @Override
  public Sql absolute() {
    Map<String, String> files = new TreeMap<>();
    views.forEach(
        (name, path) ->
            files.put(name, path.matches("[a-z][a-z0-9+]+:.*") ? path : DataSpec.absolute(path)));
    return new Sql(
        query,
        files,
        rows,
        column,
        deduplicate,
        maskDocuments,
        template.map(name -> ChatTemplate.named(name) ? name : DataSpec.absolute(name)),
        tooLong,
        badLines,
        validationFraction);
  }

  public static Map<String, Object> defaults() {
    return Map.of(
        "views",
        Map.of(),
        "rows",
        SqlRows.TEXT,
        "column",
        "text",
        "deduplicate",
        true,
        "maskDocuments",
        false,
        "tooLong",
        TooLong.DROP,
        "badLines",
        BadLines.FAIL,
        "validationFraction",
        0.0);
  }
}
